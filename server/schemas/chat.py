"""A message to the agent and its answer."""

from typing import Annotated, Literal

from fastapi import Header
from pydantic import Field, StringConstraints

from server.schemas.fields import In, MessageStatus, Out, Text, UsageOut, absent

ToolName = Annotated[str, StringConstraints(min_length=1, max_length=64)]

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        description="The same key within 24 h never runs twice: it gives the first run.",
        min_length=1,
        max_length=128,
        pattern=r"^[\x21-\x7e]+$",
        examples=["5b1c0f4e-0b1f-4b3c-9a55-0f6f7a0d9e11"],
    ),
]


class ChatIn(In):
    """A message to the agent."""

    message: Text = Field(
        description="1..32,000 characters.", examples=["기억해: redis 만료는 EXPIRE로 정한다"]
    )
    tools: list[ToolName] | None = Field(
        None,
        description="Names from `/api/tools`; null is all of them, an empty list none.",
        max_length=100,
        examples=[["archive_search"]],
    )
    stream: bool = Field(True, description="Whether the answer comes as an event stream.")


class NoticeOut(Out):
    """Something the person should know of the turn."""

    kind: Literal[
        "step_limit", "repeat_stop", "time_limit", "summarized", "cancelled", "queued"
    ] = Field(description="What it is about.")
    detail: str = Field(
        description="In words.", examples=["The limit of 8 model calls was reached."]
    )
    covers_up_to: str | None = Field(
        None,
        description="For `summarized`: the last message key that the summary tells of.",
        exclude_if=absent,
    )


class AnswerMessageOut(Out):
    """The stored answer, whole."""

    key: str = Field(description="Its message key.", examples=["t00000001-0001"])
    content: str = Field(description="Its text.", examples=["저장했어요."])
    status: MessageStatus = Field(description="Whether it was said to its end.")
    usage: UsageOut | None = Field(None, description="What the model counted for it.")


class AnswerOut(Out):
    """The answer to a message, all at once."""

    run_id: str = Field(description="The run.", examples=["run_4f0c6a1b9d2e4c8377a0b1c2"])
    message: AnswerMessageOut = Field(description="The stored answer.")
    notices: list[NoticeOut] = Field(description="What else there is to know.")
    usage: UsageOut | None = Field(description="What the model counted in the whole turn.")


class ToolOut(Out):
    """A tool that the agent may call."""

    name: str = Field(description="Its name in `tools` of a chat.", examples=["archive_search"])
    description: str = Field(description="What it does.", examples=["Search the archive."])
    args_schema: dict[str, object] = Field(
        description="A JSON Schema of its arguments.", examples=[{"type": "object"}]
    )


class ToolsOut(Out):
    """Every tool."""

    items: list[ToolOut] = Field(description="The tools.")


class RunOut(Out):
    """A run as it stands."""

    run_id: str = Field(description="The run.", examples=["run_4f0c6a1b9d2e4c8377a0b1c2"])
    status: Literal["running", "complete", "stopped", "failed"] = Field(
        description="Where it stood when this was answered."
    )
