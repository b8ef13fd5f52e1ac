"""Running the tools that a model calls: bounded in time and size, each call with its one result."""

import asyncio
import logging
from collections.abc import Sequence

from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage
from langchain_core.messages.tool import ToolCall
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from pydantic import ValidationError

from graphs.calls import clean, cut
from graphs.limits import Limits, Result
from tools.caller import Caller
from tools.errors import ToolFailed

Bound = Runnable[LanguageModelInput, AIMessage]

_log = logging.getLogger(__name__)


class Toolbox:
    """The tools of a graph, built once; a turn uses those it names."""

    def __init__(self, model: BaseChatModel, tools: Sequence[BaseTool], limits: Limits) -> None:
        self._model = model
        self._tools = {tool.name: tool for tool in tools}
        self._limits = limits
        self._bound: dict[tuple[str, ...], Bound] = {}

    def names(self, chosen: Sequence[str] | None) -> tuple[str, ...]:
        """The names of the tools there are, or of those ``chosen`` among them."""
        return tuple(name for name in self._tools if chosen is None or name in chosen)

    def bind(self, chosen: Sequence[str] | None) -> Runnable[LanguageModelInput, AIMessage]:
        """The model with these tools, each set of tools described to it once."""
        names = self.names(chosen)
        if not names:
            return self._model
        if names not in self._bound:
            self._bound[names] = self._model.bind_tools([self._tools[name] for name in names])
        return self._bound[names]

    def writes(self, name: str) -> bool:
        """Whether a tool changes what others read."""
        tool = self._tools.get(name)
        return tool is not None and bool((tool.metadata or {}).get("writes"))

    async def run_all(
        self,
        calls: Sequence[ToolCall],
        caller: Caller,
        chosen: Sequence[str] | None,
        *,
        until: float,
    ) -> list[Result]:
        """The results of ``calls`` in their order: together if all only read, else one by one."""
        work = [self.run(call, caller, chosen, until=until) for call in calls]
        if not any(self.writes(call["name"]) for call in calls):
            return list(await asyncio.gather(*work))
        return [await one for one in work]

    async def run(
        self, call: ToolCall, caller: Caller, chosen: Sequence[str] | None, *, until: float
    ) -> Result:
        """One call's result; whatever goes wrong is told in words the model can act on.

        ``until`` is a moment of the event loop's clock, past which nothing runs.
        """
        name = call["name"]
        if name not in self.names(chosen):
            known = ", ".join(self.names(chosen)) or "none"
            return Result(text=f"There is no tool {name!r}. Tools: {known}.", ok=False)
        limit = min(until, asyncio.get_running_loop().time() + self._limits.tool_seconds)
        try:
            async with asyncio.timeout_at(limit):
                answer = await self._tools[name].ainvoke({**call["args"], "caller": caller})
        except TimeoutError:
            return Result(text=f"{name} took too long and was stopped.", ok=False)
        except ValidationError as error:
            return Result(text=_what_is_wrong(error), ok=False)
        except ToolFailed as error:
            return Result(text=cut(str(error), self._limits.result_characters), ok=False)
        except Exception:  # noqa: BLE001 - a tool's unknown failure must not end the turn
            _log.exception("tool failed", extra={"tool": name})
            return Result(text=f"{name} failed unexpectedly. Go on without it.", ok=False)
        return Result(text=cut(clean(str(answer)), self._limits.result_characters), ok=True)


def _what_is_wrong(error: ValidationError) -> str:
    problems = (
        f"{'.'.join(map(str, one['loc'])) or 'arguments'}: {one['msg']}"
        for one in error.errors(include_url=False, include_input=False)[:5]
    )
    return "Wrong arguments: " + "; ".join(problems)
