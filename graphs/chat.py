"""The agent: a state machine that calls a model and its tools until there is an answer.

It always ends with a text, inside the turn's limits, and every tool call has its result.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import aclosing, suppress
from dataclasses import replace
from typing import Any, Literal, cast

from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import (
    AIMessage,
    AnyMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
)
from langchain_core.messages.tool import ToolCall
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import REMOVE_ALL_MESSAGES
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime
from langgraph.types import Command

from graphs.calls import clean, has_text, preview, results_of, tidy
from graphs.fallback import plain_answer, stop_for
from graphs.limits import Limits, Progress, Reason
from graphs.model_calls import stream_model
from graphs.model_errors import ModelError
from graphs.repetition import after, judge
from graphs.reply import Reply
from graphs.routing import after_model, after_tools
from graphs.state import (
    ChatContext,
    ChatInput,
    ChatOutput,
    ChatState,
    Notice,
    Said,
    Token,
    ToolEnd,
    ToolStart,
)
from graphs.system_prompt import SystemPrompt
from graphs.toolbox import Toolbox
from graphs.transcript import fit, from_record
from memory.keys import message_key, turn_of
from memory.protocols import Archive, History
from tools.caller import Caller

ChatGraph = CompiledStateGraph[ChatState, ChatContext, ChatInput, ChatOutput]
Update = dict[str, Any]
Step = Command[Literal["model", "tools", "conclude", "__end__"]]
Write = Callable[[Any], None]


class Agent:
    """The nodes of the chat graph; they keep nothing between turns."""

    def __init__(
        self,
        model: BaseChatModel,
        tools: Sequence[BaseTool],
        *,
        limits: Limits,
        archive: Archive | None,
        history: History | None,
    ) -> None:
        self._model = model
        self._toolbox = Toolbox(model, tools, limits)
        self._limits = limits
        self._prompt = SystemPrompt(archive, digest_tokens=limits.digest_tokens)
        self._history = history

    async def ask(self, state: ChatState, runtime: Runtime[ChatContext]) -> Step:
        """Ask the model, with tools; the first call of a turn begins it."""
        context, write = _context(runtime), _write(runtime)
        begun = {} if "progress" in state else await self._begin(state, context)
        state = cast("ChatState", {**state, **begun})
        # Later calls read it anew: tools may have changed the archive.
        digest = await context.digest() if begun and context.digest else None
        system = await self._prompt.compose(context.user, state.get("summary"), digest=digest)
        progress = state["progress"]
        bound = self._toolbox.bind(context.tools)
        prompt = [system, *state["messages"]]
        reply, cut_by = await self._stream(bound, prompt, write, progress, until=progress.soft)
        message = reply.message(whole=cut_by is None)
        kept, refused = tidy(message, progress, self._limits)
        asked = len(message.tool_calls) + len(message.invalid_tool_calls)
        dropped = asked - len(kept.tool_calls)
        ended: Reason | None = "steps" if dropped else cut_by
        progress = replace(
            _stop(progress, ended, state, write) if ended else progress,
            model_calls=progress.model_calls + 1,
            dropped=dropped,
            refused=refused,
        )
        said, progress = _say(kept, progress, write)
        messages = [*state["messages"], *said]
        following = after_model(messages[-1], progress)
        update = {
            **begun,
            "system": system.content,
            **self._kept(messages, progress, following == END),
        }
        return Command(update=update, goto=following)

    async def _begin(self, state: ChatState, context: ChatContext) -> Update:
        """A window that agrees with the history, the question, a fresh budget."""
        asked = state["messages"][-1]
        window = await self._window(state, context)
        number = context.turn or 1 + (turn_of(str(window[-1].id)) if window else 0)
        question = HumanMessage(id=message_key(number, 0), content=str(asked.text))
        now, limits = asyncio.get_running_loop().time(), self._limits
        return {
            "messages": [*window, question],
            "summary": context.summary if context.room_id else state.get("summary"),
            "deletions": context.deletions,
            "progress": Progress(
                number=number,
                soft=now + limits.seconds * (1 - limits.answer_share),
                hard=now + limits.seconds,
            ),
        }

    async def _window(self, state: ChatState, context: ChatContext) -> list[AnyMessage]:
        """The messages before the question that the summary does not cover."""
        kept = state["messages"][:-1]
        if self._history is None or context.room_id is None:
            return kept
        covered = context.summary["covers_up_to"] if context.summary else ""
        # A store that lost its last moments may bring back what was deleted.
        current = state.get("deletions", 0) == context.deletions
        if current and kept and kept[-1].id == context.after:
            return [message for message in kept if str(message.id) > covered]
        if context.after is None:
            return []
        records = await self._history.recent(
            context.user,
            context.room_id,
            after=covered or None,
            up_to=context.after,
            max_tokens=self._limits.window_tokens,
        )
        return [from_record(record) for record in records]

    async def use_tools(self, state: ChatState, runtime: Runtime[ChatContext]) -> Step:
        """Give every call of the last message its result: run it, repeat one, or refuse."""
        progress, write, context = state["progress"], _write(runtime), _context(runtime)
        calls = _calls(state)
        for call in calls:
            write(ToolStart(str(call["id"]), call["name"], call["args"]))
        plan = judge(calls, progress)
        fresh = await self._toolbox.run_all(
            plan.to_run, _caller(context, state), context.tools, until=progress.soft
        )
        results = plan.results(fresh)
        for call, result in zip(calls, results, strict=True):
            write(ToolEnd(str(call["id"]), call["name"], result.ok, preview(result.text)))
        messages = results_of(calls, results, progress)
        for message in messages:
            write(Said(message))
        progress = after(progress, plan, fresh, self._toolbox.writes)
        if plan.stops:
            progress = _stop(progress, "repetition", state, write)
        if asyncio.get_running_loop().time() >= progress.soft:
            progress = _stop(progress, "time", state, write)
        if progress.model_calls >= self._limits.model_calls - 1:
            progress = _stop(progress, "steps", state, write)
        update = {"messages": messages, "progress": progress}
        return Command(update=update, goto=after_tools(progress))

    async def conclude(self, state: ChatState, runtime: Runtime[ChatContext]) -> Update:
        """Ask once more, without tools, for an answer from what there is; else say it plainly."""
        progress, write = state["progress"], _write(runtime)
        messages = list(state["messages"])
        reason = progress.stop.detail if progress.stop else "The last reply was empty."
        system = self._prompt.concluding(state["system"], reason)
        prompt = [SystemMessage(system), *messages]
        # The turn has its results; a plain sentence on them is better than an error.
        with suppress(ModelError):
            reply, _ = await self._stream(self._model, prompt, write, progress, until=progress.hard)
            message, _ = tidy(reply.message(whole=False), progress, self._limits)
            progress = replace(progress, model_calls=progress.model_calls + 1)
            said, progress = _say(message, progress, write)
            messages += said
        if not _answered(messages[-1]):
            messages.append(_plain(state, messages, progress, write))
        return self._kept(messages, progress, answered=True)

    def _kept(self, messages: list[AnyMessage], progress: Progress, answered: bool) -> Update:
        """The messages of the talk, no more of them than the window once the turn is answered."""
        if answered:
            messages = fit(messages, self._limits.window_tokens)
        return {"messages": [RemoveMessage(REMOVE_ALL_MESSAGES), *messages], "progress": progress}

    async def _stream(
        self,
        model: Runnable[LanguageModelInput, AIMessage],
        prompt: Sequence[AnyMessage],
        write: Write,
        progress: Progress,
        *,
        until: float,
    ) -> tuple[Reply, Reason | None]:
        """A reply, and what cut it short. Once it speaks it may go on to the hard limit."""
        reply = Reply()
        most = 4 * max(self._limits.argument_characters, self._limits.answer_characters)
        try:
            async with (
                asyncio.timeout_at(until) as timer,
                aclosing(stream_model(model, prompt, deadline=progress.hard)) as chunks,
            ):
                async for chunk in chunks:
                    text = reply.add(chunk)
                    if text:
                        write(Token(clean(text)))
                        timer.reschedule(progress.hard)
                    if reply.size > most:
                        return reply, "length"
        except TimeoutError:
            return reply, "time"
        return reply, None


def _context(runtime: Runtime[ChatContext]) -> ChatContext:
    """The run's context; Studio may give none."""
    given: ChatContext | None = runtime.context
    return given or ChatContext()


def _write(runtime: Runtime[ChatContext]) -> Write:
    return _context(runtime).hear or runtime.stream_writer


def _stop(progress: Progress, reason: Reason, state: ChatState, write: Write) -> Progress:
    """End tool use for this reason, and tell; the first reason stays."""
    if progress.stop is not None:
        return progress
    stop = stop_for(reason, _question(state))
    write(Notice(stop.kind, stop.detail))
    return replace(progress, stop=stop)


def _say(message: AIMessage, progress: Progress, write: Write) -> tuple[list[AIMessage], Progress]:
    """What the model said, for the turn; a message that says nothing is none."""
    if not has_text(message) and not message.tool_calls:
        return [], progress
    write(Said(message))
    return [message], replace(progress, messages=progress.messages + 1)


def _plain(
    state: ChatState, messages: Sequence[AnyMessage], progress: Progress, write: Write
) -> AIMessage:
    """An answer in our own words, said as the model would."""
    turn = [message for message in messages if turn_of(str(message.id)) == progress.number]
    answer = AIMessage(
        id=message_key(progress.number, progress.messages),
        content=plain_answer(_question(state), turn),
    )
    write(Token(str(answer.text)))
    write(Said(answer))
    return answer


def _calls(state: ChatState) -> list[ToolCall]:
    last = state["messages"][-1]
    return last.tool_calls if isinstance(last, AIMessage) else []


def _question(state: ChatState) -> str:
    """The text of the newest human message."""
    asked = (m for m in reversed(state["messages"]) if isinstance(m, HumanMessage))
    return str(next(asked).text)


def _answered(message: AnyMessage) -> bool:
    return isinstance(message, AIMessage) and has_text(message) and not message.tool_calls


def _caller(context: ChatContext, state: ChatState) -> Caller:
    return Caller(
        user=context.user,
        room_id=context.room_id,
        question_key=message_key(state["progress"].number, 0),
        said=_question(state),
        offer=_offer(state),
    )


def _offer(state: ChatState) -> str:
    """The answer that the question replies to; empty for a first question."""
    number = state["progress"].number
    before = (m for m in reversed(state["messages"]) if turn_of(str(m.id)) < number)
    last = next(before, None)
    return str(last.text) if isinstance(last, AIMessage) else ""


def build_chat_graph(
    model: BaseChatModel,
    tools: Sequence[BaseTool],
    *,
    checkpointer: BaseCheckpointSaver[Any] | None = None,
    archive: Archive | None = None,
    history: History | None = None,
    limits: Limits | None = None,
) -> ChatGraph:
    """The chat graph over a model and tools that are shared by all turns.

    ``archive`` gives the digest in the system prompt; ``history``, for runs with a room, leads over
    the checkpointed state wherever they disagree. The graph tells ChatEvents to its context, or
    writes them to the custom stream.
    """
    agent = Agent(model, tools, limits=limits or Limits(), archive=archive, history=history)
    graph = StateGraph(
        ChatState, context_schema=ChatContext, input_schema=ChatInput, output_schema=ChatOutput
    )
    graph.add_node("model", agent.ask, destinations=("tools", "conclude", END))
    graph.add_node("tools", agent.use_tools, destinations=("model", "conclude"))
    graph.add_node("conclude", agent.conclude)
    graph.add_edge(START, "model")
    graph.add_edge("conclude", END)
    return graph.compile(checkpointer=checkpointer, name="chat")
