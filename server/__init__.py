"""The outside: settings, resources, identity, routes, the command line; no business rules."""
