"""The Python client over a real server: every call, both kinds, and streams that are cut."""

import asyncio
import inspect
from collections import deque

import pytest

from server import calls
from server.client import AsyncClient, Client, Endpoint, Endpoints, Refused
from server.schemas.archive import DraftOut
from tests.services.cutting_proxy import CuttingProxy
from tests.services.tomato_server import TomatoServer

NOTE = "레디스 키는 EXPIRE로 만료 시간을 정한다"


def a_whole_visit(address: str) -> None:
    with Client(address) as tomato:
        room = tomato.create_room()
        events = list(tomato.chat(room.id, f"기억해: {NOTE}"))
        assert [events[0].name, events[-1].name] == ["run", "done"]
        run_id = events[0].data["run_id"]
        assert list(tomato.events(run_id, after=events[2].id)) == events[3:]
        assert tomato.cancel(run_id).status == "complete"

        answer = tomato.answer(room.id, "만료에 대해 저장한 거 찾아줘", tools=["archive_search"])
        assert "EXPIRE" in answer.message.content
        said = tomato.messages(room.id).items
        assert said[-1].role == "user"
        assert tomato.delete_messages(room.id, [said[0].key]).deleted == [said[0].key]
        assert tomato.context(room.id).window
        assert tomato.rename_room(room.id, "만료").title == "만료"
        assert tomato.room(room.id).title_source == "user"
        assert tomato.make_title(room.id).title
        assert [one.id for one in tomato.rooms().items] == [room.id]
        assert {one.name for one in tomato.tools().items} >= {"archive_search"}

        (kept,) = tomato.archive().items
        draft = tomato.draft("Valkey is a fork of Redis that keeps its licence.")
        assert isinstance(draft, DraftOut)
        entry = tomato.save("Valkey is a fork of Redis.", draft.summary, draft.category)
        assert tomato.search("valkey fork").items[0].id == entry.id
        changed = tomato.change_entry(entry.id, summary="Valkey", version=entry.version)
        assert tomato.entry(entry.id).summary == changed.summary == "Valkey"
        with pytest.raises(Refused) as stale:
            tomato.change_entry(entry.id, summary="Other", version=entry.version)
        assert stale.value.status == 412
        assert sum(one.count for one in tomato.categories().items) == 2
        for one in (kept.id, entry.id):
            tomato.delete_entry(one)
        tomato.delete_room(room.id)
        with pytest.raises(Refused, match="no such room") as gone:
            tomato.room(room.id)
        assert (gone.value.status, gone.value.code) == (404, "room_not_found")
        assert gone.value.request_id


async def test_a_whole_visit(live_server: TomatoServer) -> None:
    await asyncio.to_thread(a_whole_visit, live_server.address)


async def test_the_same_awaited(live_server: TomatoServer) -> None:
    async with AsyncClient(live_server.address) as tomato:
        room = await tomato.create_room("방")
        events = [event async for event in tomato.chat(room.id, f"기억해: {NOTE}")]
        assert events[-1].data["status"] == "complete"
        assert (await tomato.search("만료")).items
        with pytest.raises(Refused):
            await tomato.room("room_none")
        with pytest.raises(Refused) as unknown:
            _ = [event async for event in tomato.chat(room.id, "hello", tools=["none"])]
        assert unknown.value.status == 422


def test_every_call_is_a_method() -> None:
    made = {
        name
        for name, one in vars(calls).items()
        if inspect.isfunction(one) and one.__module__ == calls.__name__
    }
    methods = {name for name, one in vars(Endpoints).items() if isinstance(one, Endpoint)}
    assert {name for name in made if not name.startswith("_")} == methods | {"chat", "events"}


@pytest.mark.parametrize("first", [1, 150, 400, 600, 900])
async def test_a_cut_stream_goes_on_where_it_was(live_server: TomatoServer, first: int) -> None:
    async with CuttingProxy(live_server.address).listening() as proxy:
        async with AsyncClient(live_server.address) as tomato:
            room = await tomato.create_room()
        async with AsyncClient(proxy.address) as tomato:
            proxy.cuts = deque([first, 300, 500])
            events = [event async for event in tomato.chat(room.id, f"기억해: {NOTE}")]
            kept = [event async for event in tomato.events(events[0].data["run_id"])]
        assert events == kept
        assert [event.id for event in events] == list(range(1, len(events) + 1))
        assert proxy.made > 3
    async with AsyncClient(live_server.address) as tomato:
        said = (await tomato.messages(room.id)).items
        assert sum(one.role == "user" for one in said) == 1
