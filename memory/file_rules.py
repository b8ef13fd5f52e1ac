"""What a file of an entry may be called and when another may take its place. Pure."""

import re
import unicodedata

from memory.conflicts import too_many_files
from memory.errors import Conflict, Invalid, Stale
from memory.records import File

NAME_BYTES = 255
MOST_FILES = 100
"""How many files an entry has at most."""

OCTETS = "application/octet-stream"

_JOINERS = frozenset("\N{ZERO WIDTH JOINER}\N{ZERO WIDTH NON-JOINER}")
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?\Z", re.IGNORECASE)
_WORD = r"[A-Za-z0-9!#$&^_.+-]{1,127}"
_TYPE = re.compile(rf'{_WORD}/{_WORD}(\s*;\s*{_WORD}=("[\w ./:+-]*"|{_WORD}))*\Z', re.ASCII)


def check_file_name(name: str) -> str:
    """A file's name as it is kept (NFC); Invalid ``filename`` for what no folder should hold."""
    kept = unicodedata.normalize("NFC", name)
    if reason := _refusal(kept):
        raise Invalid.field("filename", reason)
    return kept


def _refusal(name: str) -> str | None:
    if not name.strip() or name in (".", ".."):
        return "it is no name"
    if "/" in name or "\\" in name:
        return "it must be a name, not a path"
    if any(_is_unseen(character) for character in name):
        return "it holds characters that are not seen"
    if name != name.strip() or name.endswith("."):
        return "it must not begin or end with a space, nor end with a full stop"
    if _DEVICE.match(name):
        return "some systems have a device of that name"
    if len(name.encode()) > NAME_BYTES:
        return f"it has more than {NAME_BYTES} bytes"
    return None


def _is_unseen(character: str) -> bool:
    if character == "\N{REPLACEMENT CHARACTER}":  # stands for bytes that were no text
        return True
    return unicodedata.category(character) in _UNSEEN and character not in _JOINERS


def content_type_of(declared: str | None) -> str:
    """The declared type if it has the form of one; bytes of no known kind otherwise."""
    given = (declared or "").strip()
    return given if len(given) <= 200 and _TYPE.match(given) else OCTETS


def refuse_put(there: File | None, *, overwrite: bool, if_match: str | None) -> None:
    """Whether a new file may take the place of what is ``there`` under its name.

    Conflict ``file_exists`` unless it was asked for; Stale if ``if_match``, a digest or ``*``,
    is not what is there.
    """
    if if_match is not None:
        if there is None or if_match not in ("*", there.digest):
            raise Stale("The file is not the one that If-Match names.")
    elif there is not None and not overwrite:
        raise Conflict(
            "The entry has a file of this name; put it with ?overwrite=true to replace it.",
            code="file_exists",
            details={"name": there.name, "digest": there.digest},
        )


def refuse_more(files: int) -> None:
    """Conflict ``too_many_files`` if an entry with that many can take no other."""
    if files >= MOST_FILES:
        raise too_many_files(MOST_FILES)
