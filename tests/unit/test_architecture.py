"""The shape of the house: which way imports point, who knows which vendor, what stands on top."""

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).parents[2]
ROOMS = ("graphs", "tools", "memory", "prompts", "server")
TOP_LEVEL = {
    *ROOMS,
    *("infra", "tests", ".ci", ".gitignore"),
    *("langgraph.json", "pyproject.toml", "uv.lock", "Makefile"),
    *("README.md", "CHANGELOG.md", "LICENSE"),
}
# Everything that the outside owns has one place that knows it; a place ending in / is a folder, one
# in _ the files whose names begin so.
KNOWN_ONLY_BY = {
    "fastapi": "server/",
    "starlette": "server/",
    "uvicorn": "server/",
    "langserve": "server/langserve_routes.py",
    "langchain_openai": "server/openai_",
    "kiwipiepy": "memory/kiwi.py",
    "sqlite3": "memory/sqlite/",
    "pymongo": "memory/mongo/",
    "redis": "memory/redis/",
    "minio": "memory/s3/",
    "pypdf": "memory/extraction_worker.py",
    "docx": "memory/extraction_worker.py",
    "opentelemetry": "server/tracing.py",
    "prometheus_client": "server/metrics.py",
}


def imported(source: str) -> set[str]:
    """The outermost package of each import, wherever in the file it stands."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return {name.partition(".")[0] for name in names}


def strangers(path: str, source: str) -> set[str]:
    """What this file imports though another place is the only one to know it."""
    return {
        vendor
        for vendor in imported(source) & set(KNOWN_ONLY_BY)
        if not _is_place(path, KNOWN_ONLY_BY[vendor])
    }


def _is_place(path: str, place: str) -> bool:
    return path.startswith(place) if place.endswith(("/", "_")) else path == place


def sources() -> Iterator[str]:
    for room in ROOMS:
        yield from sorted(str(path.relative_to(ROOT)) for path in (ROOT / room).rglob("*.py"))


def test_the_import_contracts_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    # Its own logging would switch off every logger that is there, for the tests that follow.
    monkeypatch.setattr("importlinter.cli._configure_logging", lambda _: None)
    assert lint_imports(no_cache=True, no_logo=True) == 0


@pytest.mark.parametrize("path", list(sources()))
def test_a_vendor_is_known_in_one_place(path: str) -> None:
    assert not strangers(path, (ROOT / path).read_text())


@pytest.mark.parametrize(
    ("path", "source", "found"),
    [
        (
            "tools/archive.py",
            "def f():\n    from pymongo.errors import PyMongoError\n",
            {"pymongo"},
        ),
        ("server/chat.py", "import langserve.server as routes\n", {"langserve"}),
        ("memory/sqlite/rooms.py", "import redis.asyncio, sqlite3\n", {"redis"}),
        ("memory/redis/leases.py", "from redis.asyncio import Redis\n", set()),
        ("memory/redis_like.py", "from memory.redis import leases\n", set()),
    ],
)
def test_a_stranger_is_seen(path: str, source: str, found: set[str]) -> None:
    assert strangers(path, source) == found


def test_the_top_level_holds_nothing_else() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    tracked = {path.partition("/")[0] for path in listed.stdout.split("\0") if path}
    assert tracked <= TOP_LEVEL
