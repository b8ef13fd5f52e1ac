"""The last part of an address, whatever characters it has."""

from starlette.convertors import Convertor, register_url_convertor


class _Rest(Convertor[str]):
    """Starlette's own `path` ends before a newline, so that nothing could say what is wrong."""

    regex = "(?s:.*)"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("rest", _Rest())


def rest(name: str) -> str:
    """The rest of an address as the parameter ``name``, for the end of a route's path."""
    return f"{{{name}:rest}}"
