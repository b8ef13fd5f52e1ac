"""The routes of files: put, read and deleted under their archive entry."""

import re
from collections.abc import AsyncIterator
from urllib.parse import quote

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse
from starlette.requests import ClientDisconnect

from memory.attachments import Attachments
from memory.errors import NotFound, TooLarge, Unavailable
from memory.file_rules import check_file_name
from memory.records import File
from server.errors import APIError, documented
from server.first_piece import begun
from server.identity import CurrentUser
from server.paths import rest
from server.resources import AppResources
from server.schemas.archive import EntryId, FileOut
from server.schemas.files import ANY_BYTES, BYTES_OUT, FileMatch, FileName, Overwrite, RangeWanted

router = APIRouter(prefix="/api/archive/{entry_id}/files/" + rest("filename"), tags=["archive"])

_RANGE = re.compile(r"bytes=(\d{0,15})-(\d{0,15})\Z", re.ASCII)
_ETAG = re.compile(r'"([0-9a-f]{64})"\Z')

# A file is somebody's: no browser may run it or guess what it is.
_GUARDS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Cache-Control": "private, no-cache",
    "Accept-Ranges": "bytes",
}


@router.put(
    "",
    summary="Put a file",
    status_code=201,
    responses=documented(404, 409, 412, 413, 415),
    openapi_extra=ANY_BYTES,
)
async def put_file(
    entry_id: EntryId,
    filename: FileName,
    request: Request,
    response: Response,
    user: CurrentUser,
    resources: AppResources,
    overwrite: Overwrite = False,
    if_match: FileMatch = None,
) -> FileOut:
    """409 `file_exists` for a name that is taken, unless `If-Match` or `overwrite` says so."""
    _refuse_encoded(request)
    _refuse_declared(request, resources.settings.max_file)
    entry = await resources.attachments.put(
        user,
        entry_id,
        filename,
        _body(request),
        content_type=request.headers.get("content-type"),
        overwrite=overwrite,
        if_match=_digest(if_match),
    )
    name = check_file_name(filename)
    file = next(one for one in entry.files if one.name == name)
    response.headers["ETag"] = f'"{file.digest}"'
    return FileOut.model_validate(file)


@router.get(
    "", summary="Read a file", response_class=Response, responses={**documented(404), **BYTES_OUT}
)
async def get_file(
    entry_id: EntryId,
    filename: FileName,
    user: CurrentUser,
    resources: AppResources,
    wanted: RangeWanted = None,
) -> Response:
    """Its bytes, as an attachment; a part of them with `Range`."""
    file, span, chunks = await _opened(resources.attachments, user, entry_id, filename, wanted)
    headers = {
        **_GUARDS,
        "Content-Type": file.content_type,
        "Content-Disposition": attachment(file.name),
        "ETag": f'"{file.digest}"',
        "Content-Length": str(len(span)),
    }
    if wanted is not None and len(span) < file.size:
        headers["Content-Range"] = f"bytes {span.start}-{span.stop - 1}/{file.size}"
        return StreamingResponse(chunks, 206, headers)
    return StreamingResponse(chunks, 200, headers)


@router.delete("", summary="Delete a file", status_code=204, responses=documented(404))
async def delete_file(
    entry_id: EntryId, filename: FileName, user: CurrentUser, resources: AppResources
) -> None:
    """It is really gone, its words too."""
    await resources.attachments.delete(user, entry_id, filename)
    await resources.forget()


def attachment(name: str) -> str:
    """A `Content-Disposition` that saves under this name (RFC 6266)."""
    plain = re.sub(r"[^A-Za-z0-9 ._()-]", "_", name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


async def _opened(
    attachments: Attachments, user: str, entry_id: str, name: str, wanted: str | None
) -> tuple[File, range, AsyncIterator[bytes]]:
    """A file and its bytes, the first of which are there."""
    for _ in range(2):
        file = await attachments.get(user, entry_id, name)
        span = _span(wanted, file.size)
        chunks = attachments.read(user, file, start=span.start, length=len(span))
        try:
            return file, span, await begun(chunks)
        except NotFound:  # replaced between the two: the next has its bytes
            continue
    raise Unavailable("The bytes of this file are missing. `tomato doctor` tells more.")


def _span(wanted: str | None, size: int) -> range:
    """Which bytes are asked for; all of them for a range of another kind (RFC 9110)."""
    found = _RANGE.match(wanted.strip()) if wanted is not None else None
    if found is None or not (found[1] or found[2]):
        return range(size)
    if found[1]:
        start, end = int(found[1]), int(found[2]) + 1 if found[2] else size
    else:
        start, end = max(0, size - int(found[2])), size
    if start >= size or end <= start:
        raise APIError(
            416,
            "range_not_satisfiable",
            f"The file has {size} bytes.",
            headers={"Content-Range": f"bytes */{size}"},
        )
    return range(start, min(end, size))


async def _body(request: Request) -> AsyncIterator[bytes]:
    try:
        async for chunk in request.stream():
            yield chunk
    except ClientDisconnect as error:
        raise APIError(400, "malformed", "The upload broke off.") from error


def _refuse_encoded(request: Request) -> None:
    """What is kept is what is read back: bytes as they are."""
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise APIError(415, "unsupported_content_encoding", "Send the file as it is, not encoded.")


def _refuse_declared(request: Request, limit: int) -> None:
    """Refuse what says of itself that it is too large, before any of it is read."""
    declared = request.headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and int(declared[:20]) > limit:
        raise TooLarge(f"A file has at most {limit:,} bytes.", details={"max_bytes": limit})


def _digest(if_match: str | None) -> str | None:
    """The digest that a client saw, or ``*``; what is no digest of ours matches nothing."""
    if if_match is None or if_match.strip() == "*":
        return if_match and "*"
    found = _ETAG.match(if_match.strip())
    return found[1] if found else ""
