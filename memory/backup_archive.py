"""One backup as one file: a tar in zstd, sealed by its SHA-256; knows no database and no store.

`zstd -d | tar x` reads it: the seal stands in a skippable frame at the end. The last member is
``manifest.json``, which tells the format, the schema and each other member's size and SHA-256.
"""

import hashlib
import io
import json
import struct
import tarfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

import zstandard

from memory.errors import Invalid, Newer

FORMAT = 2
MANIFEST = "manifest.json"
CHUNK = 1 << 20
_FRAME = struct.pack("<II", 0x184D2A50, 32)
_SEAL_BYTES = len(_FRAME) + 32


def pack(folder: Path, archive: Path, about: Mapping[str, Any]) -> dict[str, Any]:
    """Write all files of ``folder`` to ``archive``; the manifest, which begins with ``about``."""
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    members = {name: _described(folder / name) for name in names}
    manifest = {"format": FORMAT, **about, "members": members}
    with archive.open("wb") as file:
        compressor = zstandard.ZstdCompressor(level=3, write_checksum=True)
        with (
            compressor.stream_writer(file, closefd=False) as packed,
            tarfile.open(fileobj=packed, mode="w|") as tar,
        ):
            for name in names:
                tar.add(folder / name, name, recursive=False)
            data = json.dumps(manifest, ensure_ascii=False).encode()
            info = tarfile.TarInfo(MANIFEST)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    seal = _digest(archive, archive.stat().st_size)
    with archive.open("ab") as file:
        file.write(_FRAME + seal)
    return manifest


def unpack(archive: Path, folder: Path) -> dict[str, Any]:
    """Lay out all members in ``folder``, which is empty; the manifest they agree with.

    Raises Invalid ``bad_backup`` for an archive that is cut short or changed, Newer for one of a
    newer version.
    """
    _check_seal(archive)
    try:
        with archive.open("rb") as file:
            reader = zstandard.ZstdDecompressor().stream_reader(file)
            with tarfile.open(fileobj=reader, mode="r|") as tar:
                for info in tar:
                    _lay_out(tar, info, folder)
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_bytes())
    except (tarfile.TarError, zstandard.ZstdError, OSError, ValueError) as error:
        raise _bad("it can't be read") from error
    if manifest["format"] > FORMAT:
        raise Newer("The backup was made by a newer version of Tomato; nothing was changed.")
    manifest.setdefault("store", "sqlite")  # format 1 had no other
    (folder / MANIFEST).unlink()
    found = {
        str(path.relative_to(folder)): _described(path)
        for path in folder.rglob("*")
        if path.is_file()
    }
    if found != manifest["members"]:
        raise _bad("its members are not those of its manifest")
    return manifest


def _lay_out(tar: tarfile.TarFile, info: tarfile.TarInfo, folder: Path) -> None:
    source = tar.extractfile(info) if info.isfile() else None
    if source is None:
        raise _bad("it holds something that is not a file")
    path = PurePosixPath(info.name)
    if path.is_absolute() or ".." in path.parts:
        raise _bad("it holds a file that would lie outside")
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("xb") as file:
        while chunk := source.read(CHUNK):
            file.write(chunk)


def _check_seal(archive: Path) -> None:
    size = archive.stat().st_size - _SEAL_BYTES
    if size <= 0:
        raise _bad("it is cut short")
    with archive.open("rb") as file:
        file.seek(size)
        seal = file.read()
    if seal != _FRAME + _digest(archive, size):
        raise _bad("it is cut short or was changed")


def _described(path: Path) -> dict[str, Any]:
    size = path.stat().st_size
    return {"size": size, "sha256": _digest(path, size).hex()}


def _digest(path: Path, size: int) -> bytes:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for chunk in _chunks(file, size):
            digest.update(chunk)
    return digest.digest()


def _chunks(file: BinaryIO, size: int) -> Any:
    while size and (chunk := file.read(min(size, CHUNK))):
        size -= len(chunk)
        yield chunk


def _bad(reason: str) -> Invalid:
    return Invalid(f"The backup is refused: {reason}. Nothing was changed.", code="bad_backup")
