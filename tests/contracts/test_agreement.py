"""Records and bytes after a crash at each step, and after one of the two was lost."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from memory import agreement, attachments
from memory.agreement import Agreement, Missing, Orphan
from memory.attachments import Attachments
from memory.blobs import Blobs
from memory.folder.objects import FolderObjects
from memory.objects import as_chunks
from memory.records import Entry
from memory.times import now
from tests.contracts.test_large_contents import LARGE, Kept, on_mongo, on_sqlite

ME = "user_me"
HOURS = timedelta(hours=2)


class Killed(BaseException):
    """What the process can't see coming."""


async def no_text(_: Any) -> None:
    return None


@dataclass(frozen=True)
class House:
    kept: Kept
    attachments: Attachments
    agreement: Agreement

    async def put(self, entry: Entry, data: bytes, *, overwrite: bool = False) -> Entry:
        return await self.attachments.put(
            ME, entry.id, "a.bin", as_chunks(data), overwrite=overwrite
        )

    async def read(self, entry: Entry) -> bytes | None:
        """The file as a person sees it; None if it isn't listed."""
        listed = (await self.kept.archive.get(ME, entry.id)).files
        if not listed:
            return None
        return b"".join([chunk async for chunk in self.attachments.read(ME, listed[0])])

    async def differences(self) -> list[Missing | Orphan]:
        return [one async for one in self.agreement.differences()]

    async def blobs(self) -> int:
        return len([one async for one in self.kept.blobs.list(ME)])


@pytest.fixture(params=[on_sqlite, on_mongo])
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    blobs = Blobs(await FolderObjects.open(tmp_path / "blobs"))
    async with request.param(request, blobs) as kept:
        held = Attachments(kept.archive, kept.files, blobs, extract=no_text, max_bytes=10**6)
        yield House(
            kept,
            held,
            Agreement(archive=kept.archive, files=kept.files, blobs=blobs, attachments=held),
        )


@pytest.fixture
async def entry(house: House) -> Entry:
    return await house.kept.archive.save(ME, label="여행", category="일정", content="비행기 표")


def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let hours pass for whoever asks how old a blob is."""

    def then() -> datetime:
        return now() + HOURS

    for module in (attachments, agreement):
        monkeypatch.setattr(module, "now", then)


def killed_before(step: Callable[..., Any]) -> Callable[..., Any]:
    async def killed(*_: Any, **__: Any) -> None:
        raise Killed

    return killed


def killed_after(step: Callable[..., Any]) -> Callable[..., Any]:
    async def killed(*given: Any, **named: Any) -> None:
        await step(*given, **named)
        raise Killed

    return killed


STEPS = ("files.promise", "blobs.put", "files.attach", "blobs.delete", "files.settle")


@pytest.mark.parametrize("kill", [killed_before, killed_after])
@pytest.mark.parametrize("step", STEPS)
async def test_a_kill_at_any_step_of_a_put_leaves_the_old_file_or_the_new(
    house: House, entry: Entry, monkeypatch: pytest.MonkeyPatch, step: str, kill: Any
) -> None:
    await house.put(entry, b"old")
    part, _, method = step.partition(".")
    target = getattr(house.kept, part)
    with monkeypatch.context() as patched:
        patched.setattr(target, method, kill(getattr(target, method)))
        with pytest.raises(Killed):
            await house.put(entry, b"new", overwrite=True)
    assert await house.read(entry) in (b"old", b"new")
    assert await house.differences() == []
    later(monkeypatch)
    await house.attachments.sweep()
    assert await house.read(entry) in (b"old", b"new")
    assert await house.differences() == []
    assert await house.blobs() == 1


@pytest.mark.parametrize("kill", [killed_before, killed_after])
@pytest.mark.parametrize("step", [*STEPS[3:], "files.detach"])
async def test_a_kill_at_any_step_of_a_deletion_is_made_good(
    house: House, entry: Entry, monkeypatch: pytest.MonkeyPatch, step: str, kill: Any
) -> None:
    await house.put(entry, b"old")
    part, _, method = step.partition(".")
    target = getattr(house.kept, part)
    with monkeypatch.context() as patched:
        patched.setattr(target, method, kill(getattr(target, method)))
        with pytest.raises(Killed):
            await house.attachments.delete(ME, entry.id, "a.bin")
    assert await house.read(entry) in (b"old", None)
    await house.attachments.sweep()
    listed = await house.read(entry)
    assert await house.blobs() == (listed is not None)
    assert await house.differences() == []


async def test_an_upload_that_was_given_up_is_refused_and_leaves_nothing(
    house: House, entry: Entry, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = house.kept.blobs.put

    async def slow(*given: Any) -> int:
        done = await put(*given)
        with monkeypatch.context() as patched:
            patched.setattr(attachments, "now", lambda: now() + HOURS)
            await house.attachments.sweep()
        return done

    monkeypatch.setattr(house.kept.blobs, "put", slow)
    with pytest.raises(Exception, match="given up"):
        await house.put(entry, b"late")
    assert (await house.read(entry), await house.blobs()) == (None, 0)


async def test_what_was_lost_outside_is_found_and_mended(
    house: House, entry: Entry, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = await house.kept.archive.save(ME, label="긴 글", category="집", content=LARGE)
    await house.put(entry, b"bytes")
    await house.kept.blobs.delete_all(ME)
    await house.kept.blobs.put(ME, "stray", as_chunks(b"nobody's"))
    found = await house.differences()
    assert {(one.entry) for one in found if isinstance(one, Missing)} == {entry.id, long.id}
    assert len(found) == 2  # what is young may be on its way
    later(monkeypatch)
    found = await house.differences()
    assert Orphan(ME, "stray") in found
    for one in found:
        assert await house.agreement.mend(one)
    assert await house.differences() == []
    assert await house.read(entry) is None
    left = (await house.kept.archive.get(ME, long.id)).content
    assert left.startswith(LARGE[:4_000])
    assert left.endswith("[...]")
    again = await house.kept.archive.save(ME, label="긴 글", category="집", content=LARGE)
    assert (await house.kept.archive.get(ME, again.id)).content == LARGE
