"""An error as the log tells it: kinds, codes and places in the code, never its words.

The words of an error may hold what a person wrote: a model's server repeats the question, a
database the value that was refused, a parser the text it could not read.
"""

import re
import traceback
from collections.abc import Iterator

CODES = ("status_code", "code", "errno", "sqlite_errorname")
"""What libraries put on their errors beside the words."""

FRAMES = 40

_SANE = re.compile(r"[A-Za-z0-9_.-]{1,64}\Z")


def told(error: BaseException) -> str:
    """An error and what led to it, the cause first, as Python tells it but without any words."""
    chain = list(_chain(error))[::-1]
    return "\n\n".join("\n".join([*_places(one), named(one)]) for one in chain)


def named(error: BaseException) -> str:
    """The kind of an error and its codes: ``openai.BadRequestError status_code=400``."""
    kind = type(error)
    codes = [f"{name}={value}" for name in CODES if (value := _code(error, name))]
    return " ".join([f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins."), *codes])


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        yield one
        if isinstance(one, BaseExceptionGroup):
            for inner in one.exceptions:
                yield from _chain(inner)
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)


def _places(error: BaseException) -> list[str]:
    frames = traceback.extract_tb(error.__traceback__, limit=-FRAMES)
    return [f"  {one.filename}:{one.lineno} in {one.name}" for one in frames]


def _code(error: BaseException, name: str) -> str:
    value = getattr(error, name, None)
    plain = isinstance(value, str | int) and _SANE.match(str(value))
    return str(value) if plain else ""
