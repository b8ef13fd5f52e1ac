"""What the next model call of a room would carry, for the person to see."""

from collections.abc import Sequence
from dataclasses import dataclass

from graphs.system_prompt import SystemPrompt
from graphs.upkeep import summary_state
from memory.protocols import History
from memory.records import Room
from memory.tokens import estimate_tokens
from memory.turns import message_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The parts of the next call; ``window`` holds message keys, ``tokens`` estimates by part."""

    system: str
    summary: str | None
    summary_covers_up_to: str | None
    window: Sequence[str]
    archive_digest: str
    tools: Sequence[str]
    tokens: dict[str, int]


class Preview:
    """Composes the next call as the chat graph would, without making it."""

    def __init__(
        self,
        *,
        prompt: SystemPrompt,
        history: History,
        tools: Sequence[str],
        window_tokens: int,
    ) -> None:
        self._prompt = prompt
        self._history = history
        self._tools = tuple(tools)
        self._window_tokens = window_tokens

    async def of(self, room: Room) -> Context:
        summary = room.summary
        prompt = await self._prompt.compose(room.owner, summary_state(summary))
        system = str(prompt.text)
        window = await self._history.recent(
            room.owner,
            room.id,
            after=summary.covers_up_to if summary else None,
            up_to=room.last_key,
            max_tokens=self._window_tokens,
        )
        tokens = {
            "system": estimate_tokens(system),
            "window": sum(map(message_tokens, window)),
        }
        return Context(
            system=system,
            summary=summary.text if summary else None,
            summary_covers_up_to=summary.covers_up_to if summary else None,
            window=[message.key for message in window],
            archive_digest=await self._prompt.digest(room.owner),
            tools=self._tools,
            tokens={**tokens, "total": sum(tokens.values())},
        )
