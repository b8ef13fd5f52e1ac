"""What the start costs: nothing is done at import, and nothing heavy comes before the answers."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
ROOMS = ("graphs", "tools", "memory", "prompts", "server")
HEAVY = (
    "langchain",
    "langchain_core",
    "langchain_openai",
    "langgraph",
    "langgraph_sdk",
    "langserve",
    "langsmith",
    "minio",
    "openai",
    "pymongo",
    "redis",
    "tiktoken",
)

START = """
import json, sys
from pathlib import Path
from server.app import create_app
from server.serving import Server
from server.settings import Settings
create_app(Settings(data=Path("never-made")))
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""

IMPORT_ALL = """
import importlib, pathlib, socket, sqlite3, subprocess, sys, threading
before = threading.active_count()
def refuse(*args, **kwargs):
    raise SystemExit("work at import: " + repr(args))
def hook(event, args):
    if event in ("socket.connect", "sqlite3.connect", "subprocess.Popen"):
        refuse(event, args)
    if event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+"):
        if not str(args[0]).endswith((".pyc",)) and ".pyc." not in str(args[0]):
            refuse(event, args)
sys.addaudithook(hook)
for name in sys.argv[1:]:
    importlib.import_module(name)
if threading.active_count() != before:
    raise SystemExit("a thread was started at import")
"""


def sources() -> Iterator[Path]:
    for room in ROOMS:
        yield from sorted((ROOT / room).rglob("*.py"))


def run(code: str, *arguments: str, cwd: Path) -> str:
    ended = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        env={"PATH": "/usr/bin:/bin", "HOME": str(cwd), "PYTHONDONTWRITEBYTECODE": "1"},
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_the_first_answer_needs_nothing_heavy(tmp_path: Path) -> None:
    loaded = set(json.loads(run(START, cwd=tmp_path)))
    assert not loaded & set(HEAVY)
    assert not list(tmp_path.iterdir())


def test_importing_every_module_does_no_work(tmp_path: Path) -> None:
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in sources()
    ]
    run(IMPORT_ALL, *modules, cwd=tmp_path)
    assert not [path for path in tmp_path.iterdir() if path.name != ".cache"]


@pytest.mark.parametrize("path", list(sources()), ids=lambda path: str(path.relative_to(ROOT)))
def test_only_the_settings_read_the_environment(path: Path) -> None:
    if path == ROOT / "server" / "settings.py":
        return
    readers = {"environ", "environb", "getenv", "dotenv_values", "load_dotenv", "BaseSettings"}
    tree = ast.parse(path.read_text())
    names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)} | {
        name.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for name in node.names
    }
    assert not names & readers
