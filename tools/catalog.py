"""All tools there are, built once; a request chooses among them by name."""

from collections.abc import Awaitable, Callable

from langchain_core.tools import BaseTool, StructuredTool
from pydantic import BaseModel

from memory.protocols import Archive
from tools.archive import ArchiveTools, Forget
from tools.arguments import (
    ContentArguments,
    DeleteArguments,
    ListArguments,
    ReadArguments,
    SaveArguments,
    SearchArguments,
    UpdateArguments,
)
from tools.drafting import Drafter
from tools.drafts import DraftTools


async def _nothing() -> None:
    """Nothing to wipe: for stores that keep no log."""


def build_tools(
    archive: Archive, drafter: Drafter, *, forget: Forget = _nothing
) -> tuple[BaseTool, ...]:
    """The tools over ``archive``; ``forget`` is awaited after each text taken out of it."""
    entries, drafts = ArchiveTools(archive, drafter, forget), DraftTools(drafter)
    return (
        _writing("archive_save", _SAVE, SaveArguments, entries.save),
        _reading("archive_search", _SEARCH, SearchArguments, entries.search),
        _reading("archive_read", _READ, ReadArguments, entries.read),
        _reading("archive_list", _LIST, ListArguments, entries.list_entries),
        _writing("archive_update", _UPDATE, UpdateArguments, entries.update),
        _writing("archive_delete", _DELETE, DeleteArguments, entries.delete),
        _reading("categorize", _CATEGORIZE, ContentArguments, drafts.categorize),
        _reading("summarize", _SUMMARIZE, ContentArguments, drafts.summarize),
    )


Tool = Callable[..., Awaitable[str]]


def _reading(name: str, description: str, schema: type[BaseModel], run: Tool) -> BaseTool:
    return StructuredTool(name=name, description=description, args_schema=schema, coroutine=run)


def _writing(name: str, description: str, schema: type[BaseModel], run: Tool) -> BaseTool:
    tool = _reading(name, description, schema, run)
    tool.metadata = {"writes": True}
    return tool


_SAVE = """\
Save a text to the person's archive. Only when they asked for it or agreed to it.
Answers with the label and category it took: tell the person both. `already_saved` means that an \
entry says this already; `updated` means that the text was added to an entry it extends."""

_SEARCH = """\
Find entries of the person's archive by words in their content, label or category, best first.
Use it whenever the answer may be among what the person saved. Answers with ids, labels and \
snippets; read an entry whole with archive_read."""

_READ = """\
Read one entry of the archive whole. `truncated` tells that its content goes on."""

_LIST = """\
List the archive: its categories with counts and its newest entries, without contents."""

_UPDATE = """\
Change the label, the category or the content of an entry, as the person asked for it."""

_DELETE = """\
Delete an entry for good. Only when the person's latest message asks for exactly this one."""

_CATEGORIZE = """\
Which category of the archive a text would go to. Saves nothing; archive_save does this itself."""

_SUMMARIZE = """\
Make a label of at most 30 characters for a text. Saves nothing; archive_save does this itself."""
