"""What a file may be called, and what its content type may be."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory.errors import Invalid
from memory.file_rules import NAME_BYTES, OCTETS, check_file_name, content_type_of


@pytest.mark.parametrize(
    "name",
    [
        *(
            "a",
            "a b.txt",
            "회의록 7월.pdf",
            ".env",
            "a..b",
            "con.d.txt.x"[3:],
            "company",
            "👩‍👩‍👧.png",
        ),
        *("가" * 85, "x" * NAME_BYTES, "q?: *.txt", "100%.md", "~tilde", "-rf"),
    ],
)
def test_a_plain_name_is_kept(name: str) -> None:
    assert check_file_name(name) == name


def test_a_name_is_composed() -> None:
    assert check_file_name(unicodedata.normalize("NFD", "한글.txt")) == "한글.txt"


@pytest.mark.parametrize(
    "name",
    [
        *(
            "",
            " ",
            ".",
            "..",
            "../a",
            "a/b",
            "a\\b",
            "/",
            "\\\\host",
            "a\0",
            "a\n",
            "a\x1b",
            "a\x85",
        ),
        *("CON", "nul.txt", "LPT9.log", "aux.", "a.", " a", "a ", "\u202egpj.exe", "a\u2066b"),
        *("\ud800", "a\ufeff", "a\u2028", "a\ufffd", "가" * 86, "x" * 256),
    ],
)
def test_a_name_that_plays_tricks_is_refused(name: str) -> None:
    with pytest.raises(Invalid) as caught:
        check_file_name(name)
    assert caught.value.details["field"] == "filename"


@given(st.text(max_size=300))
def test_any_name_is_kept_or_refused(name: str) -> None:
    try:
        kept = check_file_name(name)
    except Invalid:
        return
    assert check_file_name(kept) == kept
    assert len(kept.encode()) <= NAME_BYTES
    assert not set(kept) & set("/\\\0\n\r")


@pytest.mark.parametrize(
    ("declared", "kept"),
    [
        ("text/plain; charset=utf-8", "text/plain; charset=utf-8"),
        ("image/svg+xml", "image/svg+xml"),
        ('text/x; a="b c"', 'text/x; a="b c"'),
        *(
            (bad, OCTETS)
            for bad in (None, "", "text", "a/b\r\nX: y", "a/b;", "가/나", "a/" + "b" * 300)
        ),
    ],
)
def test_a_content_type_has_the_form_of_one(declared: str | None, kept: str) -> None:
    assert content_type_of(declared) == kept
