"""The words of files: what a text file, a PDF or a DOCX says, so that a search finds it.

A file is somebody's, and may be made to do harm: PDF and DOCX are read by a process of its own,
without the server's environment, bounded in memory and time. What can't be read has no words.
"""

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import IO, Any, Literal

TEXT_CHARACTERS = 500_000
"""How much of a file's text is searched."""

TEXT_BYTES = 4 * TEXT_CHARACTERS
WORKER_SECONDS = 20.0
AT_ONCE = 2

Kind = Literal["pdf", "docx", "text"]
Extract = Callable[[IO[bytes]], Coroutine[Any, Any, str | None]]

_WORKER = "memory.extraction_worker"
_ROOT = Path(__file__).parents[1]
_ZIP, _PDF = b"PK\x03\x04", b"%PDF-"
_BOMS = (b"\xff\xfe", b"\xfe\xff")


class Extractor:
    """Reads some files at a time, the others wait."""

    def __init__(self, *, seconds: float = WORKER_SECONDS) -> None:
        self._seconds = seconds
        self._free = asyncio.Semaphore(AT_ONCE)

    async def text(self, file: IO[bytes]) -> str | None:
        """What the file says, as far as it is searched; None if it says nothing that is read."""
        async with self._free:
            begin = await asyncio.to_thread(os.pread, file.fileno(), TEXT_BYTES, 0)
            kind = kind_of(begin)
            if kind == "text":
                said = await asyncio.to_thread(decoded, begin)
            else:
                said = await self._read_apart(file, kind)
        return said if said and said.strip() else None

    async def _read_apart(self, file: IO[bytes], kind: Kind) -> str | None:
        file.seek(0)
        worker = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", _WORKER, kind),
            stdin=file,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            cwd=_ROOT,
            env={"PYTHONDONTWRITEBYTECODE": "1", "PYTHONIOENCODING": "utf-8"},
        )
        try:
            async with asyncio.timeout(self._seconds):
                said, _ = await worker.communicate()
        except TimeoutError:
            return None
        finally:
            if worker.returncode is None:
                worker.kill()
                await worker.wait()
        return said.decode("utf-8", "replace") if worker.returncode == 0 else None


def kind_of(begin: bytes) -> Kind:
    """What a file is by its first bytes, whatever it is called."""
    if begin.startswith(_ZIP):
        return "docx"
    return "pdf" if _PDF in begin[:1024] else "text"


def decoded(data: bytes) -> str | None:
    """The text of bytes, None if they are none: UTF-8, UTF-16 with its mark, or Korean CP949."""
    if data.startswith(_BOMS):
        return _strictly(data[: len(data) // 2 * 2], "utf-16")
    if b"\0" in data:
        return None
    for encoding in ("utf-8-sig", "cp949"):
        said = _strictly(data, encoding)
        if said is not None:
            return said
    return None


def _strictly(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)[:TEXT_CHARACTERS]
    except UnicodeDecodeError as error:
        if len(data) == TEXT_BYTES and error.start >= len(data) - 4:  # cut within a character
            return data[: error.start].decode(encoding)[:TEXT_CHARACTERS]
        return None
