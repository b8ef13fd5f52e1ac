"""The arguments of the tools, described for a model; who asks is never among them."""

from pydantic import BaseModel, Field

_ID = "The entry's id, exactly as a tool's result gave it in this talk. Never guess one."
_LABEL = "A label of 1 to 30 characters on one line, in the language of the content."
_CATEGORY = "A category's name, at most 40 characters."


class SaveArguments(BaseModel):
    """What archive_save takes."""

    content: str = Field(
        description="The text to keep, whole and in the person's own words; not a summary of it."
    )
    label: str | None = Field(
        default=None,
        description=f"{_LABEL} Only if the person named one; otherwise a good one is made.",
    )
    category: str | None = Field(
        default=None,
        description=f"{_CATEGORY} Only if the person named one; otherwise a fitting one is chosen.",
    )


class SearchArguments(BaseModel):
    """What archive_search takes."""

    query: str = Field(
        max_length=1_000,
        description="The words to look for: names, terms and numbers say more than a sentence. "
        "Korean and English both work.",
    )
    category: str | None = Field(
        default=None, description="Only entries of this category; leave out to search in all."
    )
    limit: int = Field(default=5, ge=1, le=10, description="At most so many entries.")


class ReadArguments(BaseModel):
    """What archive_read takes."""

    id: str = Field(max_length=200, description=_ID)


class ListArguments(BaseModel):
    """What archive_list takes."""

    category: str | None = Field(
        default=None, description="Only entries of this category; leave out for all."
    )
    limit: int = Field(default=10, ge=1, le=30, description="At most so many entries.")


class UpdateArguments(BaseModel):
    """What archive_update takes."""

    id: str = Field(max_length=200, description=_ID)
    label: str | None = Field(default=None, description=f"The new label. {_LABEL}")
    category: str | None = Field(default=None, description=f"The new category. {_CATEGORY}")
    content: str | None = Field(
        default=None,
        description="The new content, whole: it replaces the old one. Read the entry first if "
        "only a part of it is to change.",
    )


class DeleteArguments(BaseModel):
    """What archive_delete takes."""

    id: str = Field(max_length=200, description=_ID)


class ContentArguments(BaseModel):
    """What categorize and summarize take."""

    content: str = Field(description="The text, whole.")
