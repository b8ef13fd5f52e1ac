"""The one form of errors."""

from typing import Any

from pydantic import BaseModel, Field


class ErrorBody(BaseModel):
    """What went wrong."""

    code: str = Field(description="A fixed word for machines.", examples=["room_not_found"])
    message: str = Field(description="A sentence for people.", examples=["There is no such room."])
    request_id: str = Field(
        description="Under which the server logged it; also the header X-Request-ID.",
        examples=["4f0c6a1b9d2e4c83"],
    )
    details: dict[str, Any] | None = Field(
        None,
        description="More, by code: for `invalid_field` its `field` and `reason`.",
        examples=[{"field": "message", "reason": "String should have at least 1 character"}],
    )


class ErrorOut(BaseModel):
    """Every error's body."""

    error: ErrorBody = Field(description="What went wrong.")
