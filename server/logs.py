"""How the process logs: one line of text for people, or one JSON object for machines.

A line names the request, the run and the user by their ids; what people write is never in it.
"""

import logging
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

import orjson

request_id_now: ContextVar[str | None] = ContextVar("request_id", default=None)
"""The id of the request that is being answered here."""

EXTRAS = ("request_id", "run_id", "uid", "method", "route", "status", "ms", "code")


class JSONLines(logging.Formatter):
    """Each record as one JSON object on a line of its own."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_extras(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str).decode()


class TextLines(logging.Formatter):
    """Each record as a line for people, its ids at the end."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        extras = " ".join(f"{name}={value}" for name, value in _extras(record).items())
        line = super().formatMessage(record)
        return f"{line} [{extras}]" if extras else line


def configure_logging(*, as_json: bool, level: str) -> None:
    """Send all logs of this process to its error output; other people's only as warnings."""
    handler = logging.StreamHandler()
    handler.setFormatter(JSONLines() if as_json else TextLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for ours in ("tomato", "graphs", "memory", "server", "tools"):
        logging.getLogger(ours).setLevel(level.upper())


def _extras(record: logging.LogRecord) -> dict[str, Any]:
    found = {name: getattr(record, name, None) for name in EXTRAS}
    found["request_id"] = found["request_id"] or request_id_now.get()
    return {name: value for name, value in found.items() if value is not None}
