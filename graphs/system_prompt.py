"""What stands first in every model call: made anew each time, stored nowhere."""

from weakref import WeakValueDictionary

from langchain_core.messages import SystemMessage

from graphs.state import SummaryState
from memory.protocols import Archive
from prompts import load


class SystemPrompt:
    """Persona, the digest of the person's archive, the rolling summary of the talk."""

    def __init__(self, archive: Archive | None, *, digest_tokens: int) -> None:
        self._archive = archive
        self._digest_tokens = digest_tokens
        self._persona = load("persona")
        self._conclude = load("conclude")
        self._in_use: WeakValueDictionary[str, SystemMessage] = WeakValueDictionary()

    async def digest(self, user: str) -> str:
        if self._archive is None:
            return ""
        return await self._archive.digest(user, max_tokens=self._digest_tokens)

    async def compose(
        self, user: str, summary: SummaryState | None, *, digest: str | None = None
    ) -> SystemMessage:
        """The prompt as a message; answers under way at once with the same text share it."""
        if digest is None:
            digest = await self.digest(user)
        text = self._persona.render(digest=digest, summary=summary["text"] if summary else "")
        known = self._in_use.get(text)
        if known is None:
            self._in_use[text] = known = SystemMessage(text)
        return known

    def concluding(self, system: str, reason: str) -> str:
        """``system`` for the last call, in which there are no tools because of ``reason``."""
        return f"{system}\n\n{self._conclude.render(reason=reason)}"
