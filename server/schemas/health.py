"""Whether the server lives and is ready."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from server.schemas.fields import Out


class AliveOut(Out):
    """The process answers."""

    status: Literal["ok"] = Field("ok", description="It answers.")


class BackupOut(Out):
    """The last backup that was read back and good."""

    made_at: datetime | None = Field(description="When it was made; null if none is known of.")
    age_seconds: int | None = Field(description="How old it is.")
    late: bool = Field(
        description="Whether TOMATO_BACKUP_AT is set and it is older than two days, or there is"
        " none. It does not make the server unready."
    )


class ReadyOut(Out):
    """Each dependency, and the last backup."""

    status: Literal["ready", "not_ready"] = Field(description="Whether every check is ok.")
    checks: dict[str, Literal["ok", "opening", "down"]] = Field(
        description="Each dependency by name.", examples=[{"storage": "ok", "agent": "ok"}]
    )
    backup: BackupOut | None = Field(
        None, description="The last good backup; null while the server is still opening."
    )
