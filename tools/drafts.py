"""What the model may ask about a text without saving it: its category, its label."""

from tools.answers import answer
from tools.archive import Asker
from tools.drafting import Drafter
from tools.failures import told_to_model


class DraftTools:
    """The tools that only draft."""

    def __init__(self, drafter: Drafter) -> None:
        self._drafter = drafter

    async def categorize(self, caller: Asker, content: str) -> str:
        with told_to_model():
            category, existing = await self._drafter.categorize(caller.user, content)
        return answer({"category": category, "existing": existing})

    async def summarize(self, caller: Asker, content: str) -> str:
        label = await self._drafter.label(content)
        if label.text is None:
            return answer({"summarizable": False, "reason": label.reason})
        return answer({"label": label.text})
