"""How the process logs: one line of text for people, or one JSON object for machines.

A line names the request, the run and the user by their ids; what people write is never in it.
"""

import logging
import sys
import threading
import warnings
from datetime import UTC, datetime
from typing import Any, TextIO

import orjson

from server.context import request_id_now, run_id_now, uid_now
from server.tracebacks import told

IDS = {"request_id": request_id_now, "run_id": run_id_now, "uid": uid_now}
EXTRAS = (
    *("method", "route", "status", "end", "ended_by", "ms", "code", "room_id", "tool"),
    *("input_tokens", "output_tokens"),
)

OURS = ("tomato", "graphs", "memory", "server", "tools")
TRUSTED = (*OURS, "uvicorn", "apscheduler")
"""Whose lines are told whole: they hold no content. Of others' only what their code says itself."""

log = logging.getLogger("tomato.server")


class JSONLines(logging.Formatter):
    """Each record as one JSON object on a line of its own."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": message_of(record),
            **_extras(record),
        }
        if record.exc_info and record.exc_info[1]:
            line["exception"] = told(record.exc_info[1])
        return orjson.dumps(line, default=str).decode()


class TextLines(logging.Formatter):
    """Each record as a line for people, its ids at the end."""

    def format(self, record: logging.LogRecord) -> str:
        extras = " ".join(f"{name}={value}" for name, value in _extras(record).items())
        head = f"{self.formatTime(record)} {record.levelname} {record.name}: {message_of(record)}"
        line = f"{head} [{extras}]" if extras else head
        if record.exc_info and record.exc_info[1]:
            line = f"{line}\n{told(record.exc_info[1])}"
        return line


def configure_logging(*, as_json: bool, level: str) -> None:
    """Send all logs of this process to its error output; other people's only as warnings.

    What else writes there, warnings of libraries and errors that nobody caught, goes the same way.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(JSONLines() if as_json else TextLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for ours in OURS:
        logging.getLogger(ours).setLevel(level.upper())
    logging.raiseExceptions = False  # it would print a line's values
    warnings.showwarning = _warned
    threading.excepthook = _thread_ended
    sys.unraisablehook = _unraisable


def message_of(record: logging.LogRecord) -> str:
    """The words of a line; of a library's only what its code says itself, without any values."""
    if record.name.partition(".")[0] in TRUSTED:
        return record.getMessage()
    lines = str(record.msg).splitlines()
    return (lines[0] if lines else "").partition(": ")[0]


def _extras(record: logging.LogRecord) -> dict[str, Any]:
    found = {name: getattr(record, name, None) or here.get() for name, here in IDS.items()}
    found |= {name: getattr(record, name, None) for name in EXTRAS}
    return {name: value for name, value in found.items() if value is not None}


def _warned(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    log.warning("%s at %s:%d", category.__name__, filename, lineno)


def _thread_ended(ended: threading.ExceptHookArgs) -> None:
    log.error("a thread ended in an error", exc_info=ended.exc_value)


def _unraisable(found: Any) -> None:
    log.error("an error that could not be raised", exc_info=found.exc_value)
