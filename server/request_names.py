"""What a request is called where it is counted, told or traced: by few names, none made up."""

from starlette.types import Scope

METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))


def method_of(scope: Scope) -> str:
    """The request's method, if it is one; a client may make up any number."""
    return scope["method"] if scope["method"] in METHODS else "other"


def route_of(scope: Scope) -> str:
    """The template of the path that answered, or its mount; never what a client made up."""
    path = getattr(scope.get("route"), "path", None)
    return str(path or scope.get("root_path") or "none")
