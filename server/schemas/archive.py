"""The archive: drafts, entries, what a search found, categories."""

from typing import Annotated, Literal, Self

from fastapi import Header, Path, Query
from pydantic import AfterValidator, Field, model_validator

from memory.archive_rules import kept_line
from memory.records import Entry, Found
from server.schemas.fields import In, Moment, Out, absent, no_nul, one_line

CONTENT = "Redis의 maxmemory-policy를 allkeys-lru로 바꾸면 오래된 키부터 지운다."
SUMMARY = "Redis 메모리 정책 allkeys-lru"
CATEGORY = "개발"
ENTRY_ID = "entry_4f0c6a1b9d2e4c8377a0b1c2"

Plain = Annotated[str, AfterValidator(no_nul)]

EntryId = Annotated[str, Path(description="The entry's id.", max_length=100, examples=[ENTRY_ID])]
CategoryName = Annotated[
    Plain,
    AfterValidator(one_line),
    AfterValidator(kept_line),
    Path(description="A category's name.", max_length=1_000, examples=[CATEGORY]),
]
SearchWords = Annotated[
    Plain | None,
    Query(alias="q", description="Words to look for; best first.", examples=["redis 메모리"]),
]
CategoryFilter = Annotated[
    Annotated[Plain, AfterValidator(kept_line)] | None,
    Query(description="Only entries of this category.", max_length=1_000, examples=[CATEGORY]),
]
IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        description="The `version` that you saw, in quotes, or `*`; 412 if it is another now.",
        max_length=200,
        examples=['"1"'],
    ),
]


class DraftIn(In):
    """A content to make a draft for."""

    content: Plain = Field(description="The text, whole.", examples=[CONTENT])
    category: Plain | None = Field(
        None, description="A category to use; without one, a fitting one is chosen."
    )


class DuplicateOut(Out):
    """An entry that says the same, or nearly."""

    id: str = Field(description="The entry.", examples=[ENTRY_ID])
    summary: str = Field(description="Its label.", examples=[SUMMARY])
    exact: bool = Field(
        description="Whether the content is the same but for case, spacing and punctuation."
    )


class DraftOut(Out):
    """What an entry could look like; nothing is stored."""

    summarizable: Literal[True] = Field(True, description="There is something to label.")
    summary: str = Field(description="A label: 1..30 characters, one line.", examples=[SUMMARY])
    category: str = Field(
        description="The person's own that fits, else a new one.", examples=[CATEGORY]
    )
    duplicates: list[DuplicateOut] = Field(description="What is there already, nearest first.")


class NoDraftOut(Out):
    """Why there is nothing to label."""

    summarizable: Literal[False] = Field(False, description="There is nothing to label.")
    reason: str = Field(
        description="Why, in a sentence.", examples=["A bare number says nothing by itself."]
    )


class SourceIn(In):
    """The message that a content comes from."""

    room_id: str = Field(description="The room.", max_length=100)
    key: str = Field(description="The message's key.", max_length=100, examples=["t00000001-0000"])


class EntryIn(In):
    """A new entry."""

    content: Plain = Field(description="The text, whole.", examples=[CONTENT])
    summary: Plain = Field(description="The label: 1..30 characters, one line.", examples=[SUMMARY])
    category: Plain = Field(description="1..40 characters, one line.", examples=[CATEGORY])
    source: SourceIn | None = Field(None, description="The message that it comes from.")


class EntryChangeIn(In):
    """What to change of an entry; what is absent stays."""

    summary: Plain | None = Field(None, description="Another label.", examples=["레디스 정책"])
    category: Plain | None = Field(None, description="Another category.", examples=["Databases"])
    content: Plain | None = Field(None, description="Another content, whole.")

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.summary is None and self.category is None and self.content is None:
            raise ValueError("give at least one of summary, category and content")
        return self


class SourceOut(Out):
    """The message that a content came from."""

    room_id: str = Field(description="The room.", examples=["room_4f0c6a1b9d2e4c8377a0b1c2"])
    key: str = Field(description="The message's key.", examples=["t00000001-0000"])


class FileOut(Out):
    """A file of an entry."""

    name: str = Field(description="Its name, as its address has it.", examples=["policy.pdf"])
    size: int = Field(description="Bytes.", examples=[48213])
    content_type: str = Field(description="As it was sent.", examples=["application/pdf"])
    digest: str = Field(description="SHA-256 of the bytes, in hex; also its ETag.")
    searchable: bool = Field(description="Whether the entry is found by the file's words.")
    created_at: Moment


class ItemOut(Out):
    """An entry without its content."""

    id: str = Field(description="Opaque.", examples=[ENTRY_ID])
    category: str = Field(description="Its category.", examples=[CATEGORY])
    summary: str = Field(description="Its label.", examples=[SUMMARY])
    size: int = Field(description="Bytes of its content in UTF-8.", examples=[94])
    source: SourceOut | None = Field(
        None, description="The message that it came from.", exclude_if=absent
    )
    files: list[FileOut] = Field(description="Its files, by name.")
    created_at: Moment
    updated_at: Moment
    version: int = Field(description="Grows by one with each change.", examples=[1])

    @classmethod
    def of(cls, entry: Entry) -> Self:
        return cls.model_validate(_named(entry))


class EntryOut(ItemOut):
    """What a person chose to remember."""

    content: str = Field(description="The text, whole.", examples=[CONTENT])


class FoundOut(ItemOut):
    """An entry that a search found, without its content."""

    score: float = Field(description="How well it matches; higher is better.", examples=[7.31])
    matched: list[str] = Field(
        description="The words of the query that matched; `≈` where the meaning is near it.",
        examples=[["redis", "메모리"]],
    )

    @classmethod
    def found(cls, found: Found) -> Self:
        return cls.model_validate(
            _named(found.entry) | {"score": found.score, "matched": list(found.matched)}
        )


class CategoryOut(Out):
    """A category."""

    name: str = Field(description="Its name.", examples=[CATEGORY])
    count: int = Field(description="How many entries it holds.", examples=[12])


class CategoriesOut(Out):
    """Every category, the fullest first."""

    items: list[CategoryOut] = Field(description="The categories.")


class CategoryIn(In):
    """A category's new name."""

    name: Plain = Field(description="1..40 characters, one line.", examples=["Databases"])


def _named(entry: Entry) -> dict[str, object]:
    """A record under the names that clients know."""
    return {
        "id": entry.id,
        "category": entry.category,
        "summary": entry.label,
        "content": entry.content,
        "size": entry.size,
        "source": entry.source,
        "files": list(entry.files),
        "created_at": entry.created_at,
        "updated_at": entry.updated_at,
        "version": entry.version,
    }
