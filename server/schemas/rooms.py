"""Rooms, their messages and what the model would get of them."""

from typing import Any, Literal

from pydantic import Field

from server.schemas.fields import In, MessageStatus, Moment, Out, Title, UsageOut, absent

KEY_EXAMPLE = "t00000001-0000"


class RoomIn(In):
    """A new room."""

    title: Title | None = Field(
        None, description="Without one, the first exchange gives it.", examples=["레디스 메모"]
    )


class RoomTitleIn(In):
    """A person's own title."""

    title: Title = Field(description="1..200 characters on one line.", examples=["Redis notes"])


class RoomOut(Out):
    """A talk."""

    id: str = Field(description="Opaque.", examples=["room_4f0c6a1b9d2e4c8377a0b1c2"])
    title: str | None = Field(description="Null until it has one.", examples=["Redis notes"])
    title_source: Literal["none", "auto", "user"] = Field(
        description="Who gave the title.", examples=["auto"]
    )
    created_at: Moment
    updated_at: Moment
    message_count: int = Field(description="Messages of every role.", examples=[4])
    running: str | None = Field(
        None,
        description="The run that answers now: follow it at `/api/runs/{run_id}/events`.",
        exclude_if=absent,
        examples=["run_4f0c6a1b9d2e4c8377a0b1c2"],
    )


class ToolCallOut(Out):
    """The model's wish to run a tool."""

    id: str = Field(description="Its result has it as `tool_call_id`.", examples=["call_1"])
    name: str = Field(description="The tool.", examples=["archive_search"])
    args: dict[str, Any] = Field(
        description="What the tool was given.", examples=[{"query": "redis 만료"}]
    )


class MessageOut(Out):
    """One message of a room."""

    key: str = Field(
        description="Never changes; sorts in the talk's order.", examples=[KEY_EXAMPLE]
    )
    turn: int = Field(description="The question's number, from 1.", examples=[1])
    role: Literal["user", "assistant", "tool"] = Field(description="Who said it.")
    content: str = Field(description="Its text.", examples=["What did I save about Redis?"])
    tool_calls: list[ToolCallOut] | None = Field(
        None, description="The tools that the assistant asked for.", exclude_if=absent
    )
    tool_call_id: str | None = Field(
        None, description="The call that a tool's message answers.", exclude_if=absent
    )
    tool_name: str | None = Field(
        None, description="The tool that answered.", exclude_if=absent, examples=["archive_search"]
    )
    status: MessageStatus = Field(description="Whether it was said to its end.")
    created_at: Moment
    usage: UsageOut | None = Field(
        None, description="What the model counted for it.", exclude_if=absent
    )


class MessageKeysIn(In):
    """Messages to delete."""

    keys: list[str] = Field(
        description="1..100 message keys.",
        min_length=1,
        max_length=100,
        examples=[[KEY_EXAMPLE]],
    )


class DeletedOut(Out):
    """What a deletion took."""

    deleted: list[str] = Field(description="The keys asked for.", examples=[[KEY_EXAMPLE]])
    also_deleted: list[str] = Field(
        description="What went along: a tool call and its results go together.",
        examples=[["t00000001-0002"]],
    )
    summary: Literal["unchanged", "rebuilt", "cleared"] = Field(
        description="What became of the room's summary."
    )
    backups_until: Moment | None = Field(
        None,
        description="Until when backups may still hold it; null if none are made each day.",
    )


class ContextOut(Out):
    """What the next model call would carry."""

    system: str = Field(description="The system prompt.", examples=["You are Tomato, ..."])
    summary: str | None = Field(description="The rolling summary of what came before the window.")
    summary_covers_up_to: str | None = Field(
        description="The last message key that the summary tells of.", examples=[KEY_EXAMPLE]
    )
    window: list[str] = Field(
        description="Keys of the messages sent as they are, oldest first.", examples=[[KEY_EXAMPLE]]
    )
    archive_digest: str = Field(description="What the model is told of the archive.")
    tools: list[str] = Field(description="The tools it could call.", examples=[["archive_search"]])
    tokens: dict[str, int] = Field(
        description="About how many tokens each part takes.", examples=[{"system": 300}]
    )
