"""Users and their sessions."""

from typing import Annotated

from pydantic import Field, StringConstraints

from server.schemas.fields import In, Moment, Out

PASSWORD = "correct horse battery staple"  # noqa: S105 - an example
SID = "3q2-7wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

SHORTEST, LONGEST = 8, 128
"""How many characters a password has."""

Password = Annotated[str, StringConstraints(min_length=SHORTEST, max_length=LONGEST)]
GivenSid = Annotated[
    str | None,
    Field(alias="tomatoSID", max_length=200, description="The session's id, for want of a header."),
]


class RegisterIn(In):
    """A new account."""

    username: str = Field(
        description="3..32 letters, digits, `._-`, in any script.",
        max_length=128,
        examples=["토마토.lover"],
    )
    password: Password = Field(
        description=f"{SHORTEST}..{LONGEST} characters.", examples=[PASSWORD]
    )


class LoginIn(In):
    """A name and its password."""

    username: str = Field(description="In any case.", max_length=128, examples=["토마토.lover"])
    password: str = Field(description="The password.", max_length=LONGEST, examples=[PASSWORD])


class SessionIn(In):
    """Which session is meant, for clients that can send neither header nor cookie."""

    tomatoSID: GivenSid = None


class GoodbyeIn(SessionIn):
    """The password, to be sure."""

    password: str = Field(description="The password.", max_length=LONGEST, examples=[PASSWORD])


class UserOut(Out):
    """A user."""

    uid: str = Field(description="Opaque, never changes.", examples=["user_4f0c6a1b9d2e4c8377a0"])
    username: str = Field(description="As it was chosen.", examples=["토마토.lover"])
    created_at: Moment


class RegisteredOut(Out):
    """The new user."""

    user: UserOut = Field(description="The user.")


class LoginOut(Out):
    """A new session."""

    sid: str = Field(description="Send it as `Authorization: Bearer`.", examples=[SID])
    expires_at: Moment
    user: UserOut = Field(description="Whose it is.")


class MeOut(Out):
    """Who is asking."""

    user: UserOut = Field(description="The user; uid `local` without a session, where allowed.")
    expires_at: Moment | None = Field(
        description="When the session ends unless it is used; null for the local user."
    )
