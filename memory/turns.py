"""Which messages of a talk belong together: whole turns, calls with their results. Pure."""

import math
from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import groupby
from operator import attrgetter
from typing import TypeVar

import orjson

from memory.records import Message
from memory.tokens import PER_MESSAGE, estimate_tokens

T = TypeVar("T")


def message_tokens(message: Message) -> int:
    """About how many tokens a message takes, its tool calls with it."""
    calls = sum(
        estimate_tokens(call.name) + estimate_tokens(orjson.dumps(call.args).decode())
        for call in message.tool_calls
    )
    return PER_MESSAGE + estimate_tokens(message.content) + calls


def newest_turns(newest_first: Iterable[Message], max_tokens: int) -> list[Message]:
    """The newest whole turns that fit into ``max_tokens``, oldest first, reading no further.

    The newest turn is there even if it alone is too large.
    """
    return newest_groups(newest_first, max_tokens, attrgetter("turn"), message_tokens)


def newest_groups(
    newest_first: Iterable[T],
    max_tokens: int,
    turn_of: Callable[[T], int],
    tokens_of: Callable[[T], int],
) -> list[T]:
    """``newest_turns`` for messages of any kind."""
    kept: list[T] = []
    spent = 0
    for _, group in groupby(newest_first, key=turn_of):
        turn = list(group)
        spent += sum(map(tokens_of, turn))
        if kept and spent > max_tokens:
            break
        kept.extend(turn)
    return kept[::-1]


def oldest_turns(
    messages: Sequence[Message],
    *,
    tokens: float = math.inf,
    turns: float = math.inf,
    most_tokens: int,
) -> list[Message]:
    """Whole turns from the front until ``tokens`` and ``turns`` are both reached.

    No turn is begun past ``most_tokens``.
    """
    taken: list[Message] = []
    spent = count = 0
    for _, group in groupby(messages, key=lambda message: message.turn):
        if spent >= most_tokens or (spent >= tokens and count >= turns):
            break
        turn = list(group)
        taken.extend(turn)
        spent, count = spent + sum(map(message_tokens, turn)), count + 1
    return taken


def without_last_turn(messages: Sequence[Message]) -> Sequence[Message]:
    """All but the last turn, which may not be whole; all if there is no other."""
    before = [message for message in messages if message.turn != messages[-1].turn]
    return before or messages


def with_companions(keys: Collection[str], messages: Sequence[Message]) -> list[str]:
    """``keys`` and what can't stay without them: a tool call and all its results go together.

    ``messages`` are at least the whole turns that the keys are of; the answer is in their order.
    """
    gone = set(keys)
    for message in messages:
        if not message.tool_calls:
            continue
        calls = {call.id for call in message.tool_calls}
        group = {message.key} | {
            other.key
            for other in messages
            if other.turn == message.turn and other.tool_call_id in calls
        }
        if group & gone:
            gone |= group
    return [message.key for message in messages if message.key in gone]
