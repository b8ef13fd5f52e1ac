"""What the asking user's turns cost, day by day."""

from datetime import date

from fastapi import APIRouter
from pydantic import Field

from server.bodies import JSONRoute
from server.errors import documented
from server.identity import AccountUser
from server.resources import AppResources
from server.schemas.fields import Out

DAYS = 90

router = APIRouter(tags=["accounts"], route_class=JSONRoute)


class DayOut(Out):
    """One day in UTC."""

    day: date = Field(description="The day in UTC.", examples=["2026-11-23"])
    turns: int = Field(description="Turns that ended.", examples=[12])
    input_tokens: int = Field(description="Tokens the model read.", examples=[41_200])
    output_tokens: int = Field(description="Tokens the model wrote.", examples=[3_100])
    cost: float = Field(description="By the set prices; 0 without them.", examples=[0.0165])


class UsageDaysOut(Out):
    """The newest days with a turn, and the limit of a day."""

    items: list[DayOut] = Field(description="At most 90 days, the newest first.")
    daily_tokens: int | None = Field(
        description="Tokens that may be spent a day; null for no limit.", examples=[200_000]
    )


@router.get("/api/auth/me/usage", summary="Usage", responses=documented(413, 415))
async def usage(user: AccountUser, resources: AppResources) -> UsageDaysOut:
    """Turns, tokens and cost by day; deleting messages does not change it."""
    days = await resources.usage.days(user, limit=DAYS)
    settings = resources.settings
    return UsageDaysOut(
        items=[
            DayOut(
                day=one.day,
                turns=one.turns,
                input_tokens=one.usage.input_tokens,
                output_tokens=one.usage.output_tokens,
                cost=(
                    one.usage.input_tokens * settings.price_input
                    + one.usage.output_tokens * settings.price_output
                )
                / 1_000_000,
            )
            for one in days
        ],
        daily_tokens=resources.accounting.daily_tokens,
    )
