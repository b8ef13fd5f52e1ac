"""Files of entries: how they are asked for and what OpenAPI says of their bytes."""

from typing import Annotated, Any

from fastapi import Header, Path, Query

_BYTES = {"*/*": {"schema": {"type": "string", "format": "binary"}}}

ANY_BYTES: dict[str, Any] = {
    "requestBody": {
        "description": "The bytes as they are, of any type, up to `TOMATO_MAX_FILE`.",
        "required": True,
        "content": _BYTES,
    }
}
BYTES_OUT: dict[int | str, dict[str, Any]] = {
    200: {"description": "The bytes, as an attachment", "content": _BYTES},
    206: {"description": "The part that Range asks for", "content": _BYTES},
    416: {"description": "The file ends before the range begins"},
}

FileName = Annotated[
    str,
    Path(
        description="1..255 bytes, no slash and nothing unseen.",
        max_length=1_000,
        examples=["policy.pdf"],
    ),
]
Overwrite = Annotated[bool, Query(description="Take the place of a file of this name.")]
FileMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        description="The ETag of the file to replace, or `*`; 412 if it is another now.",
        max_length=200,
    ),
]
RangeWanted = Annotated[
    str | None,
    Header(alias="Range", description="One range of bytes.", examples=["bytes=0-1023"]),
]
