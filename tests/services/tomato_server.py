"""A real `tomato serve` process for tests, on a free port, with an environment of its own."""

import asyncio
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

TOMATO = Path(sys.executable).with_name("tomato")


@dataclass
class TomatoServer:
    """Starts, stops and kills one server process over one data folder."""

    home: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    tomato: Path = TOMATO
    address: str = ""
    banner: str = ""
    process: asyncio.subprocess.Process | None = None

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": "/usr/bin:/bin",
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "TOMATO_DATA": str(self.data),
            "TOMATO_PORT": "0",
            **self.settings,
        }

    async def start(self) -> None:
        """Start it and read its address from what it prints."""
        with (self.home / "server.log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                self.tomato,
                "serve",
                cwd=self.home,
                env=self.environment,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
            )
        assert self.process.stdout is not None
        self.banner = (await self.process.stdout.readline()).decode()
        found = re.search(r"http://\S+", self.banner)
        assert found, f"no address in {self.banner!r}: {self.log()}"
        self.address = found[0]

    async def stop(self) -> int:
        """End it in order; its exit code."""
        return await self._end(kill=False)

    async def kill(self) -> int:
        """End it as a power cut would."""
        return await self._end(kill=True)

    async def _end(self, *, kill: bool) -> int:
        process = self.process
        assert process is not None
        if process.returncode is None:
            if kill:
                process.kill()
            else:
                process.terminate()
        return await process.wait()

    def log(self) -> str:
        """What it wrote to its error output."""
        return (self.home / "server.log").read_text()
