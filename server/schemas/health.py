"""Whether the server lives and is ready."""

from typing import Literal

from pydantic import Field

from server.schemas.fields import Out


class AliveOut(Out):
    """The process answers."""

    status: Literal["ok"] = Field("ok", description="It answers.")


class ReadyOut(Out):
    """Each dependency."""

    status: Literal["ready", "not_ready"] = Field(description="Whether every check is ok.")
    checks: dict[str, Literal["ok", "opening", "down"]] = Field(
        description="Each dependency by name.", examples=[{"storage": "ok", "agent": "ok"}]
    )
