"""The shapes of what goes over HTTP, each field described; no behaviour."""
