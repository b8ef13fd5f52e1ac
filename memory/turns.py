"""Which messages of a talk belong together: whole turns, calls with their results. Pure."""

from collections.abc import Collection, Iterable, Sequence
from itertools import groupby

import orjson

from memory.records import Message
from memory.tokens import PER_MESSAGE, estimate_tokens


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
    kept: list[Message] = []
    spent = 0
    for _, group in groupby(newest_first, key=lambda message: message.turn):
        turn = list(group)
        spent += sum(map(message_tokens, turn))
        if kept and spent > max_tokens:
            break
        kept.extend(turn)
    return kept[::-1]


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
