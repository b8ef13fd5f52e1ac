"""The archivist: drafts, shows the person, takes their edits, saves what they agreed to."""

import itertools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from graphs.archivist import (
    ArchivistContext,
    ArchivistGraph,
    after_draft,
    after_review,
    after_save,
    after_summarize,
    build_archivist_graph,
    reviewed,
)
from memory.errors import Invalid, Unavailable
from memory.records import Source
from tests.unit.tools.structured_model import StructuredModel
from tests.unit.tools.trial_archive import TrialArchive, open_archive
from tools.drafting import Drafter

KO = "Redis의 maxmemory-policy를 allkeys-lru로 바꾸면 오래된 키부터 지운다."
ME = ArchivistContext(user="me")


class Desk:
    """One archivist graph, talked with through its interrupts."""

    def __init__(self, archive: TrialArchive, **answers: Any) -> None:
        self.archive = archive
        model = StructuredModel(
            **{
                "LabelDraft": {"label": "메모리 정책", "summarizable": True},
                "CategoryDraft": {"category": "개발"},
                **answers,
            }
        )
        self.graph: ArchivistGraph = build_archivist_graph(
            Drafter(model, self.archive), self.archive, checkpointer=InMemorySaver()
        )
        self._threads = itertools.count()
        self.config = self._config()

    def _config(self) -> RunnableConfig:
        return {"configurable": {"thread_id": str(next(self._threads))}}

    async def show(self, content: str, **more: Any) -> dict[str, Any]:
        """Begin, and give what the person is shown, or the end if nothing is."""
        self.config = self._config()
        return await self._run({"content": content, **more})

    async def answer(self, review: object) -> dict[str, Any]:
        return await self._run(Command(resume=review))

    async def _run(self, given: Any) -> dict[str, Any]:
        result = await self.graph.ainvoke(given, self.config, context=ME)
        if pending := result.get("__interrupt__"):
            shown: dict[str, Any] = pending[0].value
            return shown
        return dict(result)


@pytest.fixture
async def archive(tmp_path: Path) -> AsyncIterator[TrialArchive]:
    async with open_archive(tmp_path) as archive:
        yield archive


@pytest.fixture
def desk(archive: TrialArchive) -> Desk:
    return Desk(archive)


async def test_the_person_sees_the_draft_and_agrees(desk: Desk) -> None:
    shown = await desk.show(KO)
    assert shown == {"summary": "메모리 정책", "category": "개발", "duplicates": []}
    assert await desk.archive.of("me") == []
    end = await desk.answer({"save": True})
    [entry] = await desk.archive.of("me")
    assert (end["outcome"], end["id"]) == ("saved", entry.id)
    assert (entry.label, entry.category, entry.content) == ("메모리 정책", "개발", KO)


async def test_their_edits_are_what_is_saved(desk: Desk) -> None:
    await desk.show(KO, category="Databases", source={"room_id": "room_1", "key": "t00000001-0000"})
    await desk.answer({"summary": "「레디스 만료」", "category": "요리", "save": True})
    [entry] = await desk.archive.of("me")
    assert (entry.label, entry.category) == ("레디스 만료", "요리")
    assert entry.source == Source(room_id="room_1", key="t00000001-0000")


async def test_a_named_category_is_shown(desk: Desk) -> None:
    assert (await desk.show(KO, category="Databases"))["category"] == "Databases"


async def test_they_may_throw_it_away(desk: Desk) -> None:
    await desk.show(KO)
    end = await desk.answer({"save": False, "summary": "x" * 99})
    assert end["outcome"] == "discarded"
    assert await desk.archive.of("me") == []


async def test_a_bad_edit_is_shown_again_with_the_problem_and_the_good_edits(desk: Desk) -> None:
    await desk.show(KO)
    shown = await desk.answer({"summary": "가" * 31, "category": "요리"})
    assert shown["problem"] == "The label has 31 characters; at most 30 are allowed."
    assert (shown["summary"], shown["category"]) == ("메모리 정책", "요리")
    shown = await desk.answer("yes please")
    assert shown["problem"].startswith("Answer with")
    end = await desk.answer({"summary": "가" * 30})
    assert end["outcome"] == "saved"
    [entry] = await desk.archive.of("me")
    assert (entry.label, entry.category) == ("가" * 30, "요리")


@pytest.mark.parametrize(
    "answer",
    [
        ["a"],
        "yes",
        7,
        {"summary": 7},
        {"save": "maybe"},
        {"label": "x"},
        {"summary": ""},
        {"summary": "a\nb"},
        {"category": "x" * 200},
        {"category": " "},
    ],
)
def test_answers_that_can_not_be_taken(answer: object) -> None:
    assert reviewed(answer)["problem"]
    assert not set(reviewed(answer)) & {"summary", "category", "outcome"}


@pytest.mark.parametrize("answer", [None, {}, {"save": True}, {"summary": None}])
def test_answers_that_change_nothing(answer: object) -> None:
    assert reviewed(answer) == {"problem": None}


async def test_duplicates_are_shown_and_the_same_is_not_saved_twice(desk: Desk) -> None:
    await desk.show(KO)
    first = await desk.answer({"save": True})
    shown = await desk.show(KO.upper())
    assert shown["duplicates"] == [{"id": first["id"], "summary": "메모리 정책", "exact": True}]
    end = await desk.answer({"save": True})
    assert (end["outcome"], end["id"]) == ("duplicate", first["id"])
    assert len(await desk.archive.of("me")) == 1


@pytest.mark.parametrize("content", ["", "42", "ㅋㅋㅋㅋㅋㅋ"])
async def test_noise_ends_with_its_reason(desk: Desk, content: str) -> None:
    end = await desk.show(content)
    assert end["outcome"] == "not_summarizable"
    assert end["reason"]


async def test_what_the_model_can_not_label_ends_with_its_reason(archive: TrialArchive) -> None:
    desk = Desk(
        archive, LabelDraft={"label": "", "summarizable": False, "reason": "뜻이 없습니다."}
    )
    end = await desk.show("음 그 저 뭐")
    assert (end["outcome"], end["reason"]) == ("not_summarizable", "뜻이 없습니다.")


async def test_a_thread_can_be_used_again(desk: Desk) -> None:
    await desk.show("42")
    shown = await desk._run({"content": KO})
    assert shown == {"summary": "메모리 정책", "category": "개발", "duplicates": []}


async def test_a_bound_of_the_store_goes_back_to_the_person(archive: TrialArchive) -> None:
    class Strict(TrialArchive):
        async def save(self, *args: Any, **kwargs: Any) -> Any:
            if kwargs["category"] == "개발":
                raise Invalid.field("category", "not this one")
            return await super().save(*args, **kwargs)

    desk = Desk(Strict(archive.database))
    await desk.show(KO)
    assert (await desk.answer({"save": True}))["problem"] == "category: not this one"
    assert (await desk.answer({"category": "요리"}))["outcome"] == "saved"


async def test_other_errors_of_the_store_are_not_hidden(archive: TrialArchive) -> None:
    class Away(TrialArchive):
        async def save(self, *args: Any, **kwargs: Any) -> Any:
            raise Unavailable("away")

    desk = Desk(Away(archive.database))
    await desk.show(KO)
    with pytest.raises(Unavailable):
        await desk.answer({"save": True})


async def test_without_a_context_it_is_the_local_users(desk: Desk) -> None:
    await desk.graph.ainvoke({"content": KO}, desk.config)
    await desk.graph.ainvoke(Command(resume={"save": True}), desk.config)
    assert len(await desk.archive.of("local")) == 1


@pytest.mark.parametrize(
    ("route", "state", "target"),
    [
        (after_draft, {}, "categorize"),
        (after_draft, {"outcome": "not_summarizable"}, "__end__"),
        (after_summarize, {"outcome": None}, "review"),
        (after_summarize, {"outcome": "not_summarizable"}, "__end__"),
        (after_review, {"problem": None}, "save"),
        (after_review, {"problem": "x"}, "review"),
        (after_review, {"problem": "x", "outcome": "discarded"}, "__end__"),
        (after_save, {"problem": None, "outcome": "saved"}, "__end__"),
        (after_save, {"problem": "x"}, "review"),
    ],
)
def test_routes(route: Any, state: dict[str, Any], target: str) -> None:
    assert route({"content": "x", **state}) == target
