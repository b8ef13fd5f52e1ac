"""The archive's routes: drafts, entries, search, categories."""

import re
from typing import TYPE_CHECKING

from fastapi import APIRouter, Response

from memory.archive_rules import check_category
from memory.errors import Invalid, Stale
from memory.keys import turn_of
from memory.records import Entry, Source
from server.bodies import JSONRoute
from server.errors import documented
from server.identity import CurrentUser, OwnedEntry
from server.paths import rest
from server.resources import AppResources, Resources
from server.schemas.archive import (
    CategoriesOut,
    CategoryFilter,
    CategoryIn,
    CategoryName,
    CategoryOut,
    DraftIn,
    DraftOut,
    DuplicateOut,
    EntryChangeIn,
    EntryId,
    EntryIn,
    EntryOut,
    FoundOut,
    IfMatch,
    ItemOut,
    NoDraftOut,
    SearchWords,
    SourceIn,
)
from server.schemas.fields import PAGE, Cursor, Limit, PageOut

if TYPE_CHECKING:
    from tools.drafting import Draft

_ETAG = re.compile(r'"(\d{1,15})"\Z', re.ASCII)


class ContentRoute(JSONRoute):
    """A route whose body holds a content: larger than a message, the store knows how large."""

    max_bytes = 8 * 1024 * 1024


router = APIRouter(prefix="/api/archive", tags=["archive"], route_class=ContentRoute)


@router.post("/drafts", summary="Draft an entry", responses=documented(413, 415, 429))
async def draft_entry(
    new: DraftIn, user: CurrentUser, resources: AppResources
) -> DraftOut | NoDraftOut:
    """A label, a category and what is there already; nothing is stored."""
    await resources.rate_limits.spend_by_user("draft", user)
    return draft_out(await resources.drafter.draft(user, new.content, new.category))


def draft_out(draft: "Draft") -> DraftOut | NoDraftOut:
    """A draft as clients see it."""
    if draft.label is None or draft.category is None:
        return NoDraftOut(reason=draft.reason)
    duplicates = [
        DuplicateOut(id=near.entry.id, summary=near.entry.label, exact=near.exact)
        for near in draft.duplicates
    ]
    return DraftOut(summary=draft.label, category=draft.category, duplicates=duplicates)


@router.post("", summary="Save an entry", status_code=201, responses=documented(404, 409, 413, 415))
async def save_entry(
    new: EntryIn, user: CurrentUser, resources: AppResources, response: Response
) -> EntryOut:
    """409 with the existing id in its details if the same content is there."""
    entry = await resources.archive.save(
        user,
        label=new.summary,
        category=new.category,
        content=new.content,
        source=await _own_source(new.source, user, resources),
    )
    return _tagged(entry, response)


@router.get("", summary="Entries", responses=documented())
async def list_entries(
    user: CurrentUser,
    resources: AppResources,
    q: SearchWords = None,
    category: CategoryFilter = None,
    limit: Limit = PAGE,
    cursor: Cursor = None,
) -> PageOut[FoundOut] | PageOut[ItemOut]:
    """Without contents: newest first, or with `q` best first."""
    if q is None or not q.strip():
        page = await resources.archive.page(user, category=category, limit=limit, cursor=cursor)
        items = [ItemOut.of(entry) for entry in page.items]
        return PageOut[ItemOut](items=items, next_cursor=page.next_cursor)
    found = await resources.archive.search(user, q, category=category, limit=limit, cursor=cursor)
    hits = [FoundOut.found(one) for one in found.items]
    return PageOut[FoundOut](items=hits, next_cursor=found.next_cursor)


@router.get("/categories", summary="Categories", responses=documented())
async def list_categories(user: CurrentUser, resources: AppResources) -> CategoriesOut:
    """The fullest first."""
    categories = await resources.archive.categories(user)
    return CategoriesOut(items=[CategoryOut.model_validate(one) for one in categories])


@router.patch(
    "/categories/" + rest("name"),
    summary="Rename or merge a category",
    responses=documented(404, 413, 415),
)
async def rename_category(
    name: CategoryName, new: CategoryIn, user: CurrentUser, resources: AppResources
) -> CategoryOut:
    """Into one that is there, its entries join it; answers with the category as it is then."""
    kept = _category_name(new.name)
    await resources.archive.rename_category(user, name, kept)
    counts = {one.name: one.count for one in await resources.archive.categories(user)}
    return CategoryOut(name=kept, count=counts.get(kept, 0))


@router.get("/{entry_id}", summary="An entry", responses=documented(404))
async def get_entry(entry: OwnedEntry, response: Response) -> EntryOut:
    """With its content; its version is the ETag."""
    return _tagged(entry, response)


@router.patch(
    "/{entry_id}", summary="Change an entry", responses=documented(404, 409, 412, 413, 415)
)
async def change_entry(
    entry_id: EntryId,
    change: EntryChangeIn,
    user: CurrentUser,
    resources: AppResources,
    response: Response,
    if_match: IfMatch = None,
) -> EntryOut:
    """What is absent stays; 412 if it changed since the version of `If-Match`."""
    entry = await resources.archive.update(
        user,
        entry_id,
        label=change.summary,
        category=change.category,
        content=change.content,
        if_version=_version(if_match),
    )
    await resources.forget()
    return _tagged(entry, response)


@router.delete("/{entry_id}", summary="Delete an entry", status_code=204, responses=documented(404))
async def delete_entry(entry_id: EntryId, user: CurrentUser, resources: AppResources) -> None:
    """It is really gone, its files too."""
    await resources.attachments.refuse_unreachable(user, entry_id)
    await resources.archive.delete(user, entry_id)
    await resources.forget()


def _tagged(entry: Entry, response: Response) -> EntryOut:
    response.headers["ETag"] = f'"{entry.version}"'
    return EntryOut.of(entry)


def _version(if_match: str | None) -> int | None:
    """The version that a client saw; None if any will do. Stale if it is no version of ours."""
    if if_match is None or if_match.strip() == "*":
        return None
    found = _ETAG.match(if_match.strip())
    if found is None:
        raise Stale("The entry is not at the version of If-Match.")
    return int(found[1])


async def _own_source(source: SourceIn | None, user: str, resources: Resources) -> Source | None:
    """The source, if it names a room of the person's."""
    if source is None:
        return None
    try:
        turn_of(source.key)
    except ValueError as error:
        raise Invalid.field("source.key", "this is not a message key") from error
    await resources.rooms.get(user, source.room_id)
    return Source(room_id=source.room_id, key=source.key)


def _category_name(name: str) -> str:
    """A category's name as it is kept; Invalid ``name``, as this body has it."""
    try:
        return check_category(name)
    except Invalid as error:
        raise Invalid.field("name", str(error.details["reason"])) from error
