"""All that the server holds open while it runs, in one frozen value; knows who needs what.

Storage opens within milliseconds and refuses bad data before anything is served. The agent's
libraries take over a second to import, so that they load on a thread beside the first answers.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, Request

from memory.accounts import Sessions, Users
from memory.attachments import Attachments
from memory.protocols import Archive, History, Rooms, RunRecords
from memory.runs import Runs
from memory.usage import UsageRecords
from server.settings import Settings
from server.stores import Check, Stores, open_stores

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.tools import BaseTool
    from langgraph.checkpoint.base import BaseCheckpointSaver

    from graphs.account_deletion import AccountDeletion
    from graphs.chat import ChatGraph
    from graphs.forgetting import Forgetting
    from graphs.preview import Preview
    from graphs.summary import SummaryGraph
    from graphs.title import TitleGraph
    from graphs.turns import Turns
    from graphs.upkeep import Upkeep
    from memory.last_backup import LastGood
    from server.accounting import Accounting
    from server.metrics import Metrics
    from server.people import People
    from server.rate_limits import RateLimits
    from server.tracing import Tracing
    from tools.drafting import Drafter


@dataclass(frozen=True, slots=True, kw_only=True)
class Graphs:
    """The compiled graphs, shared by all requests."""

    chat: "ChatGraph"
    title: "TitleGraph"
    summary: "SummaryGraph"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What the routes work with."""

    settings: Settings
    rooms: Rooms
    history: History
    run_records: RunRecords
    archive: Archive
    attachments: Attachments
    users: Users
    sessions: Sessions
    people: "People"
    rate_limits: "RateLimits"
    usage: UsageRecords
    accounting: "Accounting"
    metrics: "Metrics"
    forget: Callable[[], Awaitable[None]]
    checks: Mapping[str, Check]
    checkpointer: "BaseCheckpointSaver[Any]"
    model: "BaseChatModel"
    tools: "tuple[BaseTool, ...]"
    drafter: "Drafter"
    graphs: Graphs
    runs: Runs
    turns: "Turns"
    upkeep: "Upkeep"
    preview: "Preview"
    forgetting: "Forgetting"
    account_deletion: "AccountDeletion"
    last_good: "LastGood"


@asynccontextmanager
async def open_resources(
    settings: Settings, model: "BaseChatModel | None" = None
) -> AsyncIterator[Resources]:
    """Open everything, storage first; closed in the opposite order.

    ``model`` takes the place of the one that the settings name.
    """
    async with AsyncExitStack() as stack:
        stores = await stack.enter_async_context(open_stores(settings))
        yield await stack.enter_async_context(open_agent(settings, stores, model))


@asynccontextmanager
async def open_agent(
    settings: Settings,
    stores: Stores,
    model: "BaseChatModel | None" = None,
    tracing: "Tracing | None" = None,
) -> AsyncIterator[Resources]:
    """Build the model, the tools and the graphs over open stores, and end the runs on closing."""
    agent = await asyncio.to_thread(import_module, "server.agent")
    async with agent.open_archive(settings, stores) as archive:
        stores = replace(stores, archive=archive)
        async with _open_agent(agent, settings, stores, model, tracing) as resources:
            yield resources


@asynccontextmanager
async def _open_agent(
    agent: Any,
    settings: Settings,
    stores: Stores,
    model: "BaseChatModel | None",
    tracing: "Tracing | None",
) -> AsyncIterator[Resources]:
    checkpointer = await stores.make_checkpointer()
    passwords = await agent.open_passwords(settings)
    resources: Resources = agent.build_agent(
        settings, stores, checkpointer, passwords, model, tracing
    )
    try:
        yield resources
    finally:
        await resources.runs.close(grace_seconds=settings.grace_seconds)
        await resources.upkeep.close()
        await agent.close_chat_model(resources.model)
        await passwords.close()


async def app_resources(request: Request) -> Resources:
    """The open resources; a request that comes before they are waits for them."""
    resources: Resources = await request.app.state.opening.resources()
    return resources


AppResources = Annotated[Resources, Depends(app_resources)]
