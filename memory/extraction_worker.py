"""Reads one PDF or DOCX from its input and writes what it says; run as a process, never imported.

It limits itself before it reads anything: a file that wants more than that has no words.
"""

import resource
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping
from typing import BinaryIO

from memory.extraction import TEXT_CHARACTERS

MEMORY_BYTES = 768 * 1024 * 1024
CPU_SECONDS = 15
PAGES = 1_000
UNPACKED_BYTES = 100 * 1024 * 1024
PARAGRAPH = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}p"
TEXT = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}t"


def main() -> int:
    """The exit code; 0 if the text is whole as far as it is searched."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    left = TEXT_CHARACTERS
    for part in READERS[sys.argv[1]](sys.stdin.buffer):
        said = part[:left].encode("utf-8", "replace")
        sys.stdout.buffer.write(said + b"\n")
        left -= len(part)
        if left <= 0:
            break
    return 0


def pdf_pages(file: BinaryIO) -> Iterator[str]:
    """What each page says."""
    from pypdf import PdfReader

    reader = PdfReader(file)
    if reader.is_encrypted and not reader.decrypt(""):
        return
    for number, page in enumerate(reader.pages):
        if number == PAGES:
            break
        yield page.extract_text()


def docx_paragraphs(file: BinaryIO) -> Iterator[str]:
    """What each paragraph says, those of tables too."""
    from docx import Document

    with zipfile.ZipFile(file) as packed:
        if sum(one.file_size for one in packed.infolist()) > UNPACKED_BYTES:
            raise ValueError("it unpacks to too much")
    for paragraph in Document(file).element.body.iter(PARAGRAPH):
        yield "".join(one.text or "" for one in paragraph.iter(TEXT))


READERS: Mapping[str, Callable[[BinaryIO], Iterator[str]]] = {
    "pdf": pdf_pages,
    "docx": docx_paragraphs,
}

if __name__ == "__main__":
    sys.exit(main())
