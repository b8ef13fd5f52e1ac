"""Fields that several shapes share, with their bounds."""

import unicodedata
from datetime import datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

from fastapi import Path, Query
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

T = TypeVar("T")

MAX_MESSAGE = 32_000
MAX_TITLE = 200
MAX_ID = 100
MAX_PAGE = 100
PAGE = 20


def no_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("it must not hold the NUL character")
    return text


def one_line(text: str) -> str:
    if any(unicodedata.category(character) in ("Cc", "Zl", "Zp") for character in text):
        raise ValueError("it must be one line without control characters")
    return text


class In(BaseModel):
    """What a client sends: no names but these."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=False)


class Out(BaseModel):
    """What a client gets, made from a record."""

    model_config = ConfigDict(from_attributes=True)


class PageOut(Out, Generic[T]):
    """One page of a list."""

    items: list[T] = Field(description="The items of this page, at most `limit`.")
    next_cursor: str | None = Field(
        description="Give it as `cursor` for the next page; null on the last.",
        examples=["WzE3MDAwMDAwMDAwMDAwMDAsInJvb21fMSJd"],
    )


class UsageOut(Out):
    """Tokens that the model counted."""

    input_tokens: int = Field(description="Tokens the model read.", examples=[812])
    output_tokens: int = Field(description="Tokens the model wrote.", examples=[64])


def absent(value: Any) -> bool:
    """For `exclude_if`: an optional field that is not there is left out, not null."""
    return value is None or value == []


Text = Annotated[
    str, StringConstraints(min_length=1, max_length=MAX_MESSAGE), AfterValidator(no_nul)
]
Title = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_TITLE),
    AfterValidator(one_line),
]
RoomId = Annotated[
    str,
    Path(
        description="The room's id.",
        max_length=MAX_ID,
        examples=["room_4f0c6a1b9d2e4c8377a0b1c2"],
    ),
]
RunId = Annotated[
    str,
    Path(description="The run's id.", max_length=MAX_ID, examples=["run_4f0c6a1b9d2e4c8377a0b1c2"]),
]
Limit = Annotated[int, Query(description="At most this many items.", ge=1, le=MAX_PAGE)]
Cursor = Annotated[
    str | None, Query(description="`next_cursor` of the page before.", max_length=500)
]
Moment = Annotated[
    datetime, Field(description="RFC 3339 in UTC.", examples=["2026-11-23T06:51:33.120000Z"])
]
MessageStatus = Literal["complete", "stopped", "failed"]
