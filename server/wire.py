"""What arrives on a connection before it is a request: bounded, and refused in the one form."""

import asyncio
import secrets
from typing import cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from server.errors import error_response
from server.gathered_writes import GatheredWrites

MAX_ADDRESS_BYTES = 65_535
"""The parser's own bound on an address, kept while it arrives rather than when it is whole."""

MAX_HEADERS_BYTES = 65_536

LINGER_SECONDS = 2.0
"""How long the rest of a refused request is read away, so that its answer isn't lost with it."""

_WORDS = "This is no HTTP request that can be read, or its address or its headers are too long."


class Protocol(HttpToolsProtocol):
    """Its callbacks raise into the parser, which tells it as a request that can't be read."""

    _headers_bytes = 0
    _refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(cast("asyncio.Transport", GatheredWrites(transport, self.loop)))

    def data_received(self, data: bytes) -> None:
        if not self._refused:
            super().data_received(data)

    def on_message_begin(self) -> None:
        self._headers_bytes = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        if len(self.url) > MAX_ADDRESS_BYTES:
            raise ValueError("the address is too long")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers_bytes += len(name) + len(value)
        if self._headers_bytes > MAX_HEADERS_BYTES:
            raise ValueError("the headers are too long")
        super().on_header(name, value)

    def send_400_response(self, msg: str) -> None:
        request_id = secrets.token_hex(8)
        answer = error_response(request_id, 400, "malformed", _WORDS)
        answer.headers["X-Request-ID"] = request_id
        answer.headers["Connection"] = "close"
        lines = [b"%s: %s\r\n" % header for header in answer.raw_headers]
        self.transport.write(b"".join([STATUS_LINE[400], *lines, b"\r\n", bytes(answer.body)]))
        self.transport.write_eof()
        self._refused = True
        self.loop.call_later(LINGER_SECONDS, self.transport.close)
