"""One server process of the tests: its folder, its free ports, its start and its end."""

import socket
import subprocess
import sysconfig
import time
from abc import ABC, abstractmethod
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

PATIENCE_SECONDS = 60.0
STOP_SECONDS = 20.0
PROBE_SECONDS = 0.02

PACKAGES = Path(sysconfig.get_path("purelib"))


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 on which nobody listens, all different."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def executable(path: Path) -> Path:
    """``path`` with its run bit set: installers of wheels drop it."""
    path.chmod(path.stat().st_mode | 0o111)
    return path


@dataclass
class ServerProcess(ABC):
    """Starts and ends one server over one folder; after a restart it has the same ports.

    As a context it is started, and killed at the end.
    """

    folder: Path
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @abstractmethod
    def command(self) -> list[str | Path]:
        """What to run."""

    @abstractmethod
    def ready(self) -> bool:
        """Whether it answers; may raise OSError while it does not."""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Start it and wait until it answers; it did not start if this raises."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [str(part) for part in self.command()],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            self._wait()
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """End it in order."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        """End it as a power cut would."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def restart(self) -> None:
        """End it if it still runs, and start it on the same data."""
        self.stop()
        self.start()

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    def _wait(self) -> None:
        """Ask until it answers; there is nothing to await in a process that starts."""
        assert self.process is not None
        end = time.monotonic() + PATIENCE_SECONDS
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > end:
                said = self.log.read_text(errors="replace")[-4000:]
                raise RuntimeError(f"{type(self).__name__} did not start:\n{said}")
            time.sleep(PROBE_SECONDS)

    def _answers(self) -> bool:
        try:
            return self.ready()
        except OSError:
            return False
