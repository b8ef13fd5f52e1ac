"""What files say, and that a hostile one costs a bounded time and says nothing."""

import io
import random
import tempfile
import zipfile
import zlib

import pytest
from docx import Document

from memory.extraction import TEXT_BYTES, TEXT_CHARACTERS, Extractor, decoded, kind_of
from tests.services.pdf import pdf_saying


async def said(data: bytes, seconds: float = 20.0) -> str | None:
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        return await Extractor(seconds=seconds).text(file)


def docx(*paragraphs: str) -> bytes:
    document, file = Document(), io.BytesIO()
    for one in paragraphs:
        document.add_paragraph(one)
    document.save(file)
    return file.getvalue()


def zipped(name: str, data: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr(name, data)
    return file.getvalue()


def pdf_with_stream(stream: bytes) -> bytes:
    """A PDF whose page shows a compressed stream."""
    whole = pdf_saying("X")
    begin, end = whole.index(b"<< /Length"), whole.index(b"\nendstream")
    head = b"<< /Length %d /Filter /FlateDecode >>\nstream\n" % len(stream)
    return whole[:begin] + head + stream + whole[end:]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp949"])
async def test_text_is_read_in_the_encodings_that_people_use(encoding: str) -> None:
    assert await said("레디스 만료 and Redis".encode(encoding)) == "레디스 만료 and Redis"


@pytest.mark.parametrize("data", [b"", b" \n", b"\x00\x01", b"\xff\xd8\xff\xe0", bytes(1000)])
async def test_what_is_no_text_says_nothing(data: bytes) -> None:
    assert await said(data) is None


def test_a_long_text_is_read_to_a_bound_even_within_a_character() -> None:
    long = ("a" + "가" * TEXT_BYTES).encode()[:TEXT_BYTES]
    read = decoded(long)
    assert read is not None
    assert len(read) == TEXT_CHARACTERS
    assert decoded(b"a" * (TEXT_BYTES - 2) + "가".encode()[:2]) == "a" * TEXT_CHARACTERS


def test_a_kind_is_told_by_the_first_bytes() -> None:
    assert kind_of(pdf_saying("x")) == kind_of(b"\n\n%PDF-1.7") == "pdf"
    assert (kind_of(docx()), kind_of(b"PK are letters")) == ("docx", "text")


async def test_a_pdf_and_a_docx_say_what_is_in_them() -> None:
    pdf, word = await said(pdf_saying("Quarterly zeppelin")), await said(docx("첫 문단", "둘째"))
    assert pdf is not None
    assert pdf.split() == ["Quarterly", "zeppelin"]
    assert word is not None
    assert word.split("\n")[:2] == ["첫 문단", "둘째"]


@pytest.mark.parametrize(
    "data",
    [
        zipped("word/document.xml", bytes(150_000_000)),
        zipped("anything", b"x"),
        docx("text")[:-200],
        pdf_saying("x")[:200],
        pdf_saying("x").replace(b"/Kids [3 0 R]", b"/Kids [2 0 R]"),
        pdf_with_stream(zlib.compress(bytes(400_000_000), 1)),
        b"%PDF-" + bytes(2_000),
    ],
    ids=["bomb", "no docx", "cut docx", "cut pdf", "loop", "pdf bomb", "zeros"],
)
async def test_a_hostile_file_says_nothing(data: bytes) -> None:
    assert await said(data) is None


async def test_a_file_that_takes_too_long_says_nothing() -> None:
    assert await said(pdf_saying("late"), seconds=0.001) is None


async def test_spoilt_pdfs_never_raise() -> None:
    dice = random.Random(7)
    for _ in range(3):
        data = bytearray(pdf_saying("words that may be lost"))
        for _ in range(30):
            data[dice.randrange(5, len(data))] = dice.randrange(256)
        read = await said(bytes(data))
        assert read is None or read.strip()
