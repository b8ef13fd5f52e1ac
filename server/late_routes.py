"""LangServe's application, imported and built at the first request for one of its paths."""

import asyncio
from importlib import import_module
from typing import Any

from fastapi import FastAPI
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.bodies import JSONRequest
from server.opening import Opening

PATHS = ("/agent", "/draft", "/title", "/summary")


class LangServe:
    """LangServe's application, made at the first request that is for it."""

    def __init__(self, state: Any) -> None:
        self._state = state
        self._made: ASGIApp | None = None
        self._making = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._made or await self._make()
        body = None
        if scope["method"] == "POST":
            request = JSONRequest(Request(scope, receive))
            await request.json()
            body = await request.body()
        # Its routes have their whole paths: what the mount has taken off is put back.
        inner = {**scope, "root_path": scope.get("app_root_path", "")}
        await app(inner, receive if body is None else _replay(body, receive), send)

    async def _make(self) -> ASGIApp:
        opening: Opening = self._state.opening
        resources = await opening.resources()
        async with self._making:
            if self._made is None:
                module = await asyncio.to_thread(import_module, "server.langserve_routes")
                self._made = module.build_langserve_app(self._state, resources)
            return self._made


def add_late_routes(app: FastAPI) -> None:
    """Mount what is loaded late."""
    langserve = LangServe(app.state)
    for path in PATHS:
        app.mount(path, langserve)


def _replay(body: bytes, receive: Receive) -> Receive:
    """The messages of a request whose body was read already."""
    sent = False

    async def replayed() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed
