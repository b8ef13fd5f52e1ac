"""Builds the model, the tools and the graphs over open stores: the heavy half of the resources."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from langchain_core.language_models import BaseChatModel
from langgraph.checkpoint.base import BaseCheckpointSaver

from graphs.account_deletion import AccountDeletion
from graphs.chat import build_chat_graph
from graphs.forgetting import Forgetting
from graphs.limits import Limits
from graphs.open_turns import OpenTurns
from graphs.prefetch import Prefetch
from graphs.preview import Preview
from graphs.summary import build_summary_graph
from graphs.system_prompt import SystemPrompt
from graphs.title import build_title_graph
from graphs.turns import Turns
from graphs.upkeep import Folding, Upkeep
from memory.korean import KoreanArchive
from memory.last_backup import LastGood
from memory.passwords import Passwords
from memory.protocols import Archive
from memory.run_slots import Bounds
from memory.runs import LocalRuns
from memory.semantic_archive import SemanticArchive
from memory.shared_runs import SharedRuns
from server.accounting import Accounting
from server.metrics import Metrics
from server.models import ModelSpec, build_chat_model, close_chat_model
from server.observed_runs import Watch, observed
from server.people import People
from server.rate_limits import RateLimits
from server.resources import Graphs, Resources
from server.run_log import logged
from server.settings import Settings
from server.stores import Stores
from tools.catalog import build_tools
from tools.drafting import Drafter

if TYPE_CHECKING:
    from server.tracing import Tracing

__all__ = ["build_agent", "close_chat_model", "open_archive", "open_passwords"]


async def open_passwords(settings: Settings) -> Passwords:
    """Passwords hashed as the settings say."""
    return await Passwords.open(
        time_cost=settings.password_time_cost,
        memory_kib=settings.password_memory_kib,
        parallelism=settings.password_parallelism,
    )


@asynccontextmanager
async def open_archive(settings: Settings, stores: Stores) -> AsyncIterator[Archive]:
    """The archive, searched with what the settings name: an analyser, a model for embeddings."""
    by_words = stores.archive
    if settings.korean == "kiwi":
        kiwi = await asyncio.to_thread(import_module, "memory.kiwi")
        by_words = KoreanArchive(by_words, await kiwi.KiwiAnalyser.open())
    if settings.embeddings is None:
        yield by_words
        return
    openai = await asyncio.to_thread(import_module, "server.openai_embeddings")
    vectors = await asyncio.to_thread(stores.make_vectors)
    async with openai.open_embedder(settings) as embedder:
        archive = SemanticArchive(by_words, vectors, embedder)
        try:
            yield archive
        finally:
            await archive.close()


def build_agent(
    settings: Settings,
    stores: Stores,
    checkpointer: BaseCheckpointSaver[Any],
    passwords: Passwords,
    model: BaseChatModel | None = None,
    tracing: "Tracing | None" = None,
) -> Resources:
    """Everything that answers; it holds nothing open but the runs."""
    limits = turn_limits(settings)
    runs = _runs(settings, stores)
    model = model or build_chat_model(model_spec(settings))
    drafter = Drafter(model, stores.archive)
    tools = build_tools(stores.archive, drafter, forget=stores.forget)
    names = [tool.name for tool in tools]
    metrics = Metrics(
        settings.model_name,
        names,
        price_input=settings.price_input,
        price_output=settings.price_output,
    )
    metrics.count_waiting(lambda: runs.waiting)
    accounting = Accounting(stores.usage, settings.daily_tokens)
    watches: list[Watch] = [metrics.watched, accounting.counted, logged]
    if tracing is not None:
        watches.append(partial(tracing.traced, frozenset(names)))
    stores = replace(
        stores,
        rooms=metrics.timed(stores.rooms, "rooms"),
        history=metrics.timed(stores.history, "history"),
        run_records=metrics.timed(stores.run_records, "runs"),
        archive=metrics.timed(stores.archive, "archive"),
        attachments=metrics.timed(stores.attachments, "files"),
        users=metrics.timed(stores.users, "users"),
        sessions=metrics.timed(stores.sessions, "sessions"),
        usage=metrics.timed(stores.usage, "usage"),
    )
    graphs = Graphs(
        chat=build_chat_graph(
            model,
            tools,
            checkpointer=checkpointer,
            archive=stores.archive,
            history=stores.history,
            limits=limits,
        ),
        title=build_title_graph(model),
        summary=build_summary_graph(model),
    )
    prompt = SystemPrompt(stores.archive, digest_tokens=limits.digest_tokens)
    upkeep = Upkeep(
        rooms=stores.rooms,
        history=stores.history,
        titles=graphs.title,
        summaries=graphs.summary,
        folding=Folding(
            after_tokens=settings.folding_tokens, after_turns=settings.summary_after_turns
        ),
    )
    open_turns = OpenTurns(history=stores.history, records=stores.run_records, runs=runs)
    forgetting = Forgetting(
        rooms=stores.rooms,
        history=stores.history,
        runs=runs,
        open_turns=open_turns,
        checkpointer=checkpointer,
        upkeep=upkeep,
        wipe=stores.forget,
    )
    return Resources(
        settings=settings,
        rooms=stores.rooms,
        history=stores.history,
        run_records=stores.run_records,
        archive=stores.archive,
        attachments=stores.attachments,
        users=stores.users,
        sessions=stores.sessions,
        people=People(stores.users, passwords),
        rate_limits=RateLimits(settings, stores.redis),
        usage=stores.usage,
        accounting=accounting,
        metrics=metrics,
        forget=stores.forget,
        checks=stores.checks,
        checkpointer=checkpointer,
        model=model,
        drafter=drafter,
        tools=tools,
        graphs=graphs,
        runs=runs,
        upkeep=upkeep,
        turns=Turns(
            graphs.chat,
            history=stores.history,
            records=stores.run_records,
            runs=observed(runs, *watches),
            open_turns=open_turns,
            upkeep=upkeep,
            prefetch=partial(Prefetch, checkpointer, prompt),
            tools=names,
            limits=limits,
        ),
        preview=Preview(
            prompt=prompt,
            history=stores.history,
            tools=names,
            window_tokens=limits.window_tokens,
        ),
        forgetting=forgetting,
        account_deletion=AccountDeletion(
            users=stores.users,
            sessions=stores.sessions,
            rooms=stores.rooms,
            runs=runs,
            archive=stores.archive,
            blobs=stores.blobs,
            usage=stores.usage,
            forgetting=forgetting,
        ),
        last_good=LastGood(stores.objects),
    )


def _runs(settings: Settings, stores: Stores) -> LocalRuns | SharedRuns:
    """Runs in this process alone, or told to the others that work on the same data."""
    bounds = Bounds(
        per_user=settings.runs_per_user,
        per_process=settings.runs_per_process,
        queue=settings.runs_queue,
        events=settings.run_events,
    )
    if stores.board is None:
        return LocalRuns(stores.run_records, bounds=bounds)
    shared = SharedRuns(stores.run_records, stores.history, stores.board, bounds=bounds)
    shared.watch()
    return shared


def turn_limits(settings: Settings) -> Limits:
    """What the settings allow a turn to spend."""
    return Limits(
        model_calls=settings.max_model_calls,
        tool_calls=settings.max_tool_calls,
        seconds=settings.turn_seconds,
        window_tokens=settings.window_tokens,
    )


def model_spec(settings: Settings) -> ModelSpec:
    """The model that the settings name."""
    return ModelSpec(
        name=settings.model_name,
        api_key=settings.openai_api_key,
        base_url=settings.openai_base_url,
        timeout_seconds=min(60.0, settings.turn_seconds),
    )
