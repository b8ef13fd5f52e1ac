"""A stream that a thread reads ends when it is broken off, whatever the thread is about to do."""

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest

from memory.s3.streams import ChunkReader


class SetAfterALook(threading.Event):
    """Not set when it is looked at first, set from then on."""

    looks = 0

    def is_set(self) -> bool:
        self.looks += 1
        return self.looks > 1


class Endless:
    """Chunks of which the first never comes."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()

    async def chunks(self) -> AsyncIterator[bytes]:
        self.asked.set()
        await asyncio.Event().wait()
        yield b"never"


async def test_broken_off_just_before_it_waits_it_does_not_wait() -> None:
    reader = ChunkReader(Endless().chunks(), asyncio.get_running_loop())
    reader._broken = SetAfterALook()
    async with asyncio.timeout(30):
        with pytest.raises(OSError, match="broke off"):
            await asyncio.to_thread(reader.read, 10)


async def test_broken_off_while_it_waits_it_ends() -> None:
    endless = Endless()
    reader = ChunkReader(endless.chunks(), asyncio.get_running_loop())
    reading = asyncio.create_task(asyncio.to_thread(reader.read, 10))
    async with asyncio.timeout(30):
        await endless.asked.wait()
        reader.break_off()
        with pytest.raises(OSError, match="broke off"):
            await reading
