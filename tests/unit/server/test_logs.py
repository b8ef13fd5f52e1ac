"""What a line of the log holds, whatever went wrong: ids, kinds and places, never words."""

import json
import logging
import sys
import threading
import warnings
from collections.abc import Iterator

import pytest

from server.context import request_id_now, run_id_now, uid_now
from server.logs import OURS, JSONLines, TextLines, configure_logging
from server.tracebacks import named, told

WORDS = "고양이 이름은 tomato-2026"


class APIStatusError(Exception):
    """Like an error of a model's library: it repeats what was asked."""

    status_code = 400
    code = "context_length_exceeded"


@pytest.fixture
def _as_it_was(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """How the process logs is put back."""
    loggers = [logging.getLogger(name) for name in (None, *OURS)]
    levels = [one.level for one in loggers]
    monkeypatch.setattr(loggers[0], "handlers", [])
    for module, hook in ((warnings, "showwarning"), (threading, "excepthook")):
        monkeypatch.setattr(module, hook, getattr(module, hook))
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    monkeypatch.setattr(logging, "raiseExceptions", True)
    yield
    for one, level in zip(loggers, levels, strict=True):
        one.setLevel(level)


def failed() -> Exception:
    try:
        try:
            raise APIStatusError(f"you said {WORDS}")
        except APIStatusError as error:
            raise ValueError(f"refused: {WORDS}") from error
    except ValueError as error:
        return error


def test_an_error_is_told_by_kinds_codes_and_places() -> None:
    text = told(failed())
    first, second = text.split("\n\n")
    assert first.endswith("APIStatusError status_code=400 code=context_length_exceeded")
    assert second.endswith("ValueError")
    assert __file__ in second
    assert "in failed" in second
    assert WORDS not in text


def test_a_code_that_is_no_code_is_left_out() -> None:
    error = APIStatusError(WORDS)
    error.code = WORDS
    assert named(error).endswith("APIStatusError status_code=400")


def test_a_group_tells_each_of_its_errors() -> None:
    text = told(ExceptionGroup(WORDS, [failed(), KeyError(WORDS)]))
    assert "ExceptionGroup" in text
    assert "APIStatusError" in text
    assert "KeyError" in text
    assert WORDS not in text


@pytest.mark.parametrize("lines", [JSONLines(), TextLines()], ids=["json", "text"])
def test_neither_form_tells_an_errors_words(lines: logging.Formatter) -> None:
    error = failed()
    record = logging.LogRecord(
        "tomato.server", logging.ERROR, "", 0, "request failed", (), (type(error), error, None)
    )
    line = lines.format(record)
    assert "request failed" in line
    assert "ValueError" in line
    assert WORDS not in line


@pytest.mark.parametrize(
    ("message", "arguments", "told_as"),
    [
        ("Error in %s callback: %s", ("x", WORDS), "Error in %s callback"),
        (f"Failed to send: {WORDS}", (), "Failed to send"),
        (f"Task exception was never retrieved\nfuture: {WORDS}", (), "Task exception was never"),
    ],
)
def test_of_libraries_only_their_own_words_are_told(
    message: str, arguments: tuple[str, ...], told_as: str
) -> None:
    record = logging.LogRecord("langsmith", logging.WARNING, "", 0, message, arguments, None)
    line = json.loads(JSONLines().format(record))
    assert line["message"].startswith(told_as)
    assert WORDS not in line["message"]


def test_every_line_of_a_task_names_whom_it_is_for() -> None:
    record = logging.LogRecord("tomato.server", logging.WARNING, "", 0, "said", (), None)
    set_here = {request_id_now: "req", run_id_now: "run_1", uid_now: "user_1"}
    tokens = {variable: variable.set(value) for variable, value in set_here.items()}
    line = json.loads(JSONLines().format(record))
    assert (line["request_id"], line["run_id"], line["uid"]) == ("req", "run_1", "user_1")
    for variable, token in tokens.items():
        variable.reset(token)


@pytest.mark.usefixtures("_as_it_was")
def test_warnings_and_dead_threads_go_to_the_log_without_their_words(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logging(as_json=True, level="debug")
    warnings.showwarning(UserWarning(f"unexpected value {WORDS}"), UserWarning, "lib.py", 7)

    def fail() -> None:
        raise ValueError(WORDS)

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["message"] for line in lines] == [
        "UserWarning at lib.py:7",
        "a thread ended in an error",
    ]
    assert "ValueError" in lines[1]["exception"]
    assert WORDS not in json.dumps(lines, ensure_ascii=False)
