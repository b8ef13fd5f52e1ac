"""Real graphs over every saver: interrupts, subgraphs, parallel tasks, forks, time travel."""

from operator import add
from typing import Annotated, Any, Literal, TypedDict

import pytest
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, RemoveMessage
from langchain_core.runnables import RunnableConfig
from langgraph.channels import DeltaChannel
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import REMOVE_ALL_MESSAGES, add_messages
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Command, Send, interrupt

from memory.checkpoints import Saver
from tests.services.savers import Savers

Durability = Literal["exit", "async", "sync"]
Graph = CompiledStateGraph[Any, Any, Any, Any]

EVERY_DURABILITY = pytest.mark.parametrize("durability", ["exit", "async", "sync"])
EVERY_KEEP = pytest.mark.parametrize("keep", ["all", "latest"])


class Talk(TypedDict, total=False):
    messages: Annotated[list[AnyMessage], add_messages]
    said: Annotated[list[str], add]


def _config(thread: str = "방 1") -> RunnableConfig:
    return {"configurable": {"thread_id": thread}}


def _windowed(saver: Saver, size: int = 6) -> Graph:
    """Answers with a number and keeps a bounded window, as the chat graph does."""

    def answer(state: Talk) -> dict[str, Any]:
        question = state["messages"][-1]
        reply = AIMessage(f"답 {question.content}", id=f"{question.id}-a")
        window = [*state["messages"], reply][-size:]
        return {"messages": [RemoveMessage(REMOVE_ALL_MESSAGES), *window]}

    graph = StateGraph(Talk).add_node("answer", answer)
    return graph.add_edge(START, "answer").add_edge("answer", END).compile(checkpointer=saver)


@EVERY_KEEP
@EVERY_DURABILITY
async def test_bounded_window(savers: Savers, keep: str, durability: Durability) -> None:
    graph = _windowed(await savers.open(keep=keep))
    for turn in range(10):
        question = HumanMessage(f"질문 {turn}", id=f"q{turn}")
        said = await graph.ainvoke({"messages": [question]}, _config(), durability=durability)

    state = await graph.aget_state(_config())

    assert state.values["messages"] == said["messages"]
    assert [message.id for message in said["messages"]] == [
        "q7", "q7-a", "q8", "q8-a", "q9", "q9-a",
    ]  # fmt: skip


@EVERY_DURABILITY
async def test_latest_is_all_that_stays(savers: Savers, durability: Durability) -> None:
    saver = await savers.open(keep="latest")
    graph = _windowed(saver, size=2)
    for turn in range(5):
        question = HumanMessage(f"비밀{turn}", id=f"q{turn}")
        await graph.ainvoke({"messages": [question]}, _config(), durability=durability)

    kept = [one async for one in saver.alist(_config())]
    dump = await savers.dump()

    assert len(kept) == 1
    assert "비밀4".encode() in dump
    for turn in range(4):
        assert f"비밀{turn}".encode() not in dump


@EVERY_KEEP
@EVERY_DURABILITY
async def test_interrupt_and_resume(savers: Savers, keep: str, durability: Durability) -> None:
    def ask(state: Talk) -> dict[str, Any]:
        return {"said": [f"first {interrupt('이름?')}", f"then {interrupt('sure?')}"]}

    saver = await savers.open(keep=keep)
    graph = StateGraph(Talk).add_node("ask", ask).add_edge(START, "ask").compile(checkpointer=saver)

    await graph.ainvoke({"said": []}, _config(), durability=durability)
    asked = await graph.aget_state(_config())
    await graph.ainvoke(Command(resume="토마토"), _config(), durability=durability)
    again = await graph.aget_state(_config())
    end = await graph.ainvoke(Command(resume="yes"), _config(), durability=durability)

    assert [one.value for one in asked.interrupts] == ["이름?"]
    assert [one.value for one in again.interrupts] == ["sure?"]
    assert end["said"] == ["first 토마토", "then yes"]


@EVERY_KEEP
@EVERY_DURABILITY
async def test_interrupt_in_subgraph(savers: Savers, keep: str, durability: Durability) -> None:
    def inner(state: Talk) -> dict[str, Any]:
        return {"said": [interrupt("inner?")]}

    child = StateGraph(Talk).add_node("inner", inner).add_edge(START, "inner").compile()
    saver = await savers.open(keep=keep)
    graph = (
        StateGraph(Talk)
        .add_node("child", child)
        .add_edge(START, "child")
        .compile(checkpointer=saver)
    )

    await graph.ainvoke(
        {"messages": [HumanMessage("hi", id="1")]}, _config(), durability=durability
    )
    state = await graph.aget_state(_config(), subgraphs=True)
    end = await graph.ainvoke(Command(resume="네"), _config(), durability=durability)

    assert state.tasks[0].state is not None
    assert state.tasks[0].interrupts[0].value == "inner?"
    assert end["said"] == ["네"]


@EVERY_KEEP
@EVERY_DURABILITY
async def test_failed_parallel_task_does_not_run_the_others_again(
    savers: Savers, keep: str, durability: Durability
) -> None:
    ran: list[str] = []
    broken = True

    def work(state: Any) -> dict[str, Any]:
        name: str = state
        ran.append(name)
        if broken and name == "셋":
            raise RuntimeError("broken")
        return {"said": [name]}

    def fan(state: Talk) -> list[Send]:
        return [Send("work", name) for name in ("하나", "둘", "셋")]

    saver = await savers.open(keep=keep)
    graph = (
        StateGraph(Talk)
        .add_node("work", work)
        .add_conditional_edges(START, fan, ["work"])
        .compile(checkpointer=saver)
    )

    with pytest.raises(RuntimeError, match="broken"):
        await graph.ainvoke({"said": []}, _config(), durability=durability)
    broken = False
    end = await graph.ainvoke(None, _config(), durability=durability)

    assert end["said"] == ["하나", "둘", "셋"]
    assert sorted(ran) == sorted(["하나", "둘", "셋", "셋"])


async def test_fork_and_time_travel(savers: Savers) -> None:
    graph = _windowed(await savers.open(), size=100)
    for turn in range(3):
        await graph.ainvoke({"messages": [HumanMessage(f"질문 {turn}", id=f"q{turn}")]}, _config())
    past = [state async for state in graph.aget_state_history(_config())]
    first = next(s for s in past if len(s.values.get("messages", [])) == 2)

    fork = await graph.aupdate_state(
        first.config, {"messages": [HumanMessage("다른", id="q0")]}, as_node="answer"
    )
    after = await graph.ainvoke({"messages": [HumanMessage("새", id="q9")]}, fork)
    newest = await graph.aget_state(_config())
    old = await graph.aget_state(past[0].config)

    assert [m.content for m in after["messages"]] == ["다른", "답 질문 0", "새", "답 새"]
    assert newest.values["messages"] == after["messages"]
    assert [m.id for m in old.values["messages"]] == ["q0", "q0-a", "q1", "q1-a", "q2", "q2-a"]
    assert len([s async for s in graph.aget_state_history(_config())]) > len(past)


async def test_copied_thread_goes_its_own_way(savers: Savers) -> None:
    saver = await savers.open()
    graph = _windowed(saver)
    await graph.ainvoke({"messages": [HumanMessage("one", id="q1")]}, _config("a"))
    await saver.acopy_thread("a", "b")
    await graph.ainvoke({"messages": [HumanMessage("둘", id="q2")]}, _config("b"))
    await saver.adelete_thread("a")

    state = await graph.aget_state(_config("b"))

    assert [m.content for m in state.values["messages"]] == ["one", "답 one", "둘", "답 둘"]


@EVERY_KEEP
@EVERY_DURABILITY
async def test_delta_channel(savers: Savers, keep: str, durability: Durability) -> None:
    """What only older checkpoints know outlives ``keep="latest"`` and pruning."""

    def extend(state: list[str], writes: list[list[str]]) -> list[str]:
        return [*state, *(text for write in writes for text in write)]

    class Delta(TypedDict):
        notes: Annotated[list[str], DeltaChannel(extend, snapshot_frequency=4)]

    def node(state: Delta) -> dict[str, Any]:
        return {"notes": [f"답 {len(state['notes'])}"]}

    saver = await savers.open(keep=keep)
    graph = StateGraph(Delta).add_node("n", node).add_edge(START, "n").compile(checkpointer=saver)
    for turn in range(5):
        await graph.ainvoke({"notes": [f"q{turn}"]}, _config(), durability=durability)
        await saver.aprune(["방 1"])

    state = await graph.aget_state(_config())

    assert state.values["notes"] == [
        text for turn in range(5) for text in (f"q{turn}", f"답 {2 * turn + 1}")
    ]
