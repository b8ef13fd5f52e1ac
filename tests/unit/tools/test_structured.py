"""One structured answer: what can't be read is asked for once more, with what was wrong."""

import asyncio

import pytest
from pydantic import BaseModel

from tests.unit.tools.structured_model import StructuredModel
from tools.structured import ask


class Colour(BaseModel):
    """A colour."""

    name: str
    warm: bool


GOOD = {"name": "빨강", "warm": True}


async def asked(model: StructuredModel, *, seconds: float = 5.0) -> Colour | None:
    return await ask(model, Colour, system="Name it.", data={"of": "사과"}, seconds=seconds)


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        ({"name": "secret"}, "warm: Field required."),
        ({"name": ["secret"], "warm": "secret"}, "name: Input should be a valid string; warm: "),
        (ValueError("secret"), "it was not the JSON object that is asked for."),
    ],
)
async def test_what_can_not_be_read_is_asked_for_once_more_with_the_reason(
    bad: dict[str, object] | Exception, told: str
) -> None:
    model = StructuredModel(Colour=[bad, GOOD])
    assert await asked(model) == Colour(name="빨강", warm=True)
    assert model.asked("Colour") == [{"of": "사과"}] * 2
    first, second = model.systems("Colour")
    assert first == "Name it."
    assert second.startswith(f"Name it.\n\nYour last answer could not be read: {told}")
    assert "secret" not in second


async def test_an_answer_of_nothing_is_asked_for_once_more() -> None:
    async def nothing(_: object) -> None:
        return None

    model = StructuredModel(Colour=[nothing, GOOD])
    assert await asked(model) == Colour(name="빨강", warm=True)


async def test_there_is_no_third_time(caplog: pytest.LogCaptureFixture) -> None:
    model = StructuredModel(Colour=[{"name": "secret"}, {"warm": "secret"}, GOOD])
    assert await asked(model) is None
    assert len(model.asked("Colour")) == 2
    assert "secret" not in caplog.text


async def test_a_model_that_is_away_is_not_asked_again() -> None:
    model = StructuredModel(Colour=[ConnectionError(), GOOD])
    assert await asked(model) is None
    assert len(model.asked("Colour")) == 1


async def test_both_tries_share_one_time() -> None:
    async def hang(_: object) -> object:
        return await asyncio.Event().wait()

    model = StructuredModel(Colour=[{}, hang, GOOD])
    assert await asked(model, seconds=0.05) is None
    assert len(model.asked("Colour")) == 2
