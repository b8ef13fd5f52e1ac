"""What the image will hold, built by the Dockerfile's own steps in a folder, and started."""

import asyncio
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.services.tomato_server import TomatoServer

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "infra/Dockerfile"
UV = ROOT / ".uv/bin/uv"  # which the Makefile has put there

pytestmark = pytest.mark.timeout(300)


def built(folder: Path) -> Path:
    """Follow the build stage: its COPY and `uv sync` lines, in their order."""
    source, target = folder / "src", folder / "opt/tomato"
    source.mkdir()
    stage = DOCKERFILE.read_text().split("\nFROM ")[1]
    steps = re.findall(r"^(COPY|RUN uv) (.+)$", stage, re.MULTILINE)
    assert len(steps) >= 4
    for kind, words in steps:
        if kind == "COPY":
            *names, _ = words.split()
            for name in names:
                copy: Any = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
                copy(ROOT / name, source / name)
        else:
            environment = {
                **{name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"},  # noqa: TID251 - of this machine: caches, certificates
                "UV_PROJECT_ENVIRONMENT": str(target),
            }
            subprocess.run([UV, *words.split()], cwd=source, env=environment, check=True)
    return target


async def test_the_image_serves_from_what_it_holds(tmp_path: Path) -> None:
    target = await asyncio.to_thread(built, tmp_path)
    server = TomatoServer(tmp_path, tomato=target / "bin/tomato")
    await server.start()
    try:
        async with httpx.AsyncClient(base_url=server.address, timeout=30) as client:
            page = await client.get("/")
            assert "Tomato" in page.text
            assert (await client.get("/web/app.js")).status_code == 200
            room = (await client.post("/api/rooms")).json()["id"]
            body = {"message": "기억해: 이미지도 답한다", "stream": False}
            answer = await client.post(f"/api/rooms/{room}/chat", json=body)
            assert answer.status_code == 200, answer.text
            assert (await client.get("/agent/playground/")).status_code == 200
    finally:
        await server.stop()
    # Nothing of the tests' own tools is in it, and nothing points back to the sources.
    packages = next((target / "lib").iterdir()) / "site-packages"
    assert not (packages / "pytest").exists()
    assert (packages / "server/web/index.html").is_file()
