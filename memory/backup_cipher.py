"""Encrypts a backup's bytes on their way; knows no archive, no store and where no key is kept.

``MAGIC``, 16 bytes of salt, 7 bytes of a nonce; then pieces of 1 MiB, each AES-256-GCM with its
number and whether it is the last in its nonce (STREAM: Hoang, Reyhanitabar, Rogaway, Vizár 2015),
the beginning as associated data. The key is scrypt's of the passphrase. So a piece that is
changed, moved, left out or missing at the end is noticed before it is used.
"""

import os
import struct
from collections.abc import AsyncIterable, AsyncIterator

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from memory.errors import Invalid

MAGIC = b"tomato-encrypted-1\n"
PIECE = 1 << 20
COST = 1 << 15
"""Of scrypt: 32 MiB and a tenth of a second for each try at a passphrase."""

_SALT, _NONCE, _TAG = 16, 7, 16
_HEADER = len(MAGIC) + _SALT + _NONCE


async def encrypted(chunks: AsyncIterable[bytes], passphrase: str) -> AsyncIterator[bytes]:
    """The chunks' bytes, encrypted."""
    header = MAGIC + os.urandom(_SALT + _NONCE)
    cipher = _Pieces(header, passphrase)
    yield header
    async for piece, last in _pieces(chunks, PIECE):
        yield cipher.encrypt(piece, last)


async def decrypted(chunks: AsyncIterable[bytes], passphrase: str | None) -> AsyncIterator[bytes]:
    """The bytes that were encrypted; bytes that never were, as they are.

    Raises Invalid ``bad_backup`` for a wrong key and for anything that is not as it was written;
    what came before then must not be used.
    """
    source = aiter(chunks)
    start = b""
    while len(start) < _HEADER and (chunk := await anext(source, b"")):
        start += chunk
    if not start.startswith(MAGIC):
        yield start
        async for chunk in source:
            yield chunk
        return
    if passphrase is None:
        raise _bad("it is encrypted, and TOMATO_BACKUP_KEY is not set")
    if len(start) < _HEADER:
        raise _bad("it is cut short")
    cipher = _Pieces(start[:_HEADER], passphrase)
    async for piece, last in _pieces(_after(start[_HEADER:], source), PIECE + _TAG):
        yield cipher.decrypt(piece, last)


class _Pieces:
    """The pieces of one backup, in order."""

    def __init__(self, header: bytes, passphrase: str) -> None:
        salt, self._nonce = header[len(MAGIC) : -_NONCE], header[-_NONCE:]
        key = Scrypt(salt=salt, length=32, n=COST, r=8, p=1).derive(passphrase.encode())
        self._cipher, self._header, self._number = AESGCM(key), header, 0

    def encrypt(self, piece: bytes, last: bool) -> bytes:
        return self._cipher.encrypt(self._next(last), piece, self._header)

    def decrypt(self, piece: bytes, last: bool) -> bytes:
        try:
            return self._cipher.decrypt(self._next(last), piece, self._header)
        except InvalidTag as error:
            reason = "TOMATO_BACKUP_KEY is not its key, or it is cut short or was changed"
            raise _bad(reason) from error

    def _next(self, last: bool) -> bytes:
        self._number += 1
        return self._nonce + struct.pack(">I?", self._number, last)


async def _pieces(chunks: AsyncIterable[bytes], size: int) -> AsyncIterator[tuple[bytes, bool]]:
    """The bytes in pieces of ``size``, and whether one is the last: the last is never left out."""
    held = bytearray()
    async for chunk in chunks:
        held += chunk
        while len(held) > size:
            yield bytes(held[:size]), False
            del held[:size]
    yield bytes(held), True


async def _after(start: bytes, chunks: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    yield start
    async for chunk in chunks:
        yield chunk


def _bad(reason: str) -> Invalid:
    return Invalid(f"The backup is refused: {reason}. Nothing was changed.", code="bad_backup")
