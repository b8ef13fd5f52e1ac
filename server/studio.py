"""The graphs as LangGraph Studio opens them, on the stores and the model of the settings.

Each is made anew for a request, without a checkpointer: `langgraph dev` brings its own.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from langchain_core.language_models import BaseChatModel

from graphs.archivist import build_archivist_graph
from graphs.chat import ChatGraph, build_chat_graph
from graphs.summary import build_summary_graph
from graphs.title import build_title_graph
from server.agent import model_spec, turn_limits
from server.models import build_chat_model, close_chat_model
from server.settings import Settings, read_settings
from server.stores import Stores, open_stores
from tools.catalog import build_tools
from tools.drafting import Drafter


@asynccontextmanager
async def _bench() -> AsyncIterator[tuple[Settings, Stores, BaseChatModel]]:
    # Settings and prompts are read from files, and Studio allows no blocking call on its loop.
    settings = await asyncio.to_thread(read_settings)
    async with open_stores(settings) as stores:
        model = await asyncio.to_thread(build_chat_model, model_spec(settings))
        try:
            yield settings, stores, model
        finally:
            await close_chat_model(model)


@asynccontextmanager
async def chat() -> AsyncIterator[Any]:
    """The agent; it talks as the local user and acts on that user's archive."""
    async with _bench() as (settings, stores, model):
        yield await asyncio.to_thread(_chat, settings, stores, model)


def _chat(settings: Settings, stores: Stores, model: BaseChatModel) -> ChatGraph:
    tools = build_tools(stores.archive, Drafter(model, stores.archive), forget=stores.forget)
    return build_chat_graph(model, tools, archive=stores.archive, limits=turn_limits(settings))


@asynccontextmanager
async def archivist() -> AsyncIterator[Any]:
    """Saving with a review: it stops to show label and category, and goes on with the edits."""
    async with _bench() as (_, stores, model):
        drafter = await asyncio.to_thread(Drafter, model, stores.archive)
        yield build_archivist_graph(drafter, stores.archive)


@asynccontextmanager
async def title() -> AsyncIterator[Any]:
    """The title of a conversation."""
    async with _bench() as (_, _, model):
        yield await asyncio.to_thread(build_title_graph, model)


@asynccontextmanager
async def summary() -> AsyncIterator[Any]:
    """The rolling summary of a conversation."""
    async with _bench() as (_, _, model):
        yield await asyncio.to_thread(build_summary_graph, model)
