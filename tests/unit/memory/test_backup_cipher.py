"""Encrypted bytes come back, and none that were cut, changed, moved or given another key."""

from collections.abc import AsyncIterator, Iterable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memory import backup_cipher
from memory.backup_cipher import MAGIC, decrypted, encrypted
from memory.errors import Invalid

KEY = "열쇠는 길어야 한다"
TAG, HEADER = 16, len(MAGIC) + 23


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backup_cipher, "PIECE", 10)
    monkeypatch.setattr(backup_cipher, "COST", 2)


async def chunks(data: bytes, sizes: Iterable[int] = ()) -> AsyncIterator[bytes]:
    for size in sizes:
        yield data[:size]
        data = data[size:]
    yield data


async def whole(stream: AsyncIterator[bytes]) -> bytes:
    return b"".join([chunk async for chunk in stream])


async def told(data: bytes, key: str | None = KEY) -> str:
    with pytest.raises(Invalid) as refusal:
        await whole(decrypted(chunks(data), key))
    return str(refusal.value)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.binary(max_size=45), into=st.lists(st.integers(1, 30)), out=st.lists(st.integers(1)))
async def test_bytes_come_back_however_they_arrive(
    data: bytes, into: list[int], out: list[int]
) -> None:
    sealed = await whole(encrypted(chunks(data, into), KEY))
    assert await whole(decrypted(chunks(sealed, out), KEY)) == data
    assert data not in sealed[HEADER:] or len(data) < 4


async def test_every_cut_and_every_changed_byte_is_refused() -> None:
    sealed = await whole(encrypted(chunks(b"0123456789abcdefghij"), KEY))
    for at in range(len(MAGIC), len(sealed)):
        assert "refused" in await told(sealed[:at])
        assert "refused" in await told(sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :])
    assert "refused" in await told(sealed + b"x")


async def test_pieces_that_are_moved_or_left_out_are_refused() -> None:
    sealed = await whole(encrypted(chunks(b"0" * 35), KEY))
    head, body, size = sealed[:HEADER], sealed[HEADER:], 10 + TAG
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    for order in ([1, 0, 2, 3], [0, 2, 3], [0, 1, 2], [0, 0, 1, 2, 3]):
        assert "refused" in await told(head + b"".join(pieces[at] for at in order))


async def test_another_key_and_none_are_told_apart() -> None:
    sealed = await whole(encrypted(chunks(b"said"), KEY))
    assert "is not its key" in await told(sealed, "another key")
    assert "TOMATO_BACKUP_KEY is not set" in await told(sealed, None)


async def test_the_same_bytes_are_never_encrypted_alike() -> None:
    first, second = [await whole(encrypted(chunks(b"said"), KEY)) for _ in range(2)]
    assert first[HEADER:] != second[HEADER:]


@pytest.mark.parametrize("data", [b"", b"x", b"an old backup, which nobody encrypted" * 9])
async def test_what_was_never_encrypted_passes(data: bytes) -> None:
    assert await whole(decrypted(chunks(data, [1, 2]), KEY)) == data
