"""The load client, in a process of its own: rooms that each send one message after another.

It speaks HTTP over bare sockets and looks only for the first token and the end of each answer.
What it measured goes to its output as one JSON object.
"""

import argparse
import asyncio
import json
import resource
import time
from dataclasses import dataclass, field

import uvloop


@dataclass
class Measured:
    firsts: list[float] = field(default_factory=list)
    wholes: list[float] = field(default_factory=list)


async def _room(
    port: int, path: str, headers: str, body: bytes, turns: int, measured: Measured
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**20)
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n{headers}\r\n"
    ).encode()
    for _ in range(turns):
        began = time.perf_counter()
        writer.write(head + body)
        first = None
        rest = b""
        while True:
            data = await reader.read(65_536)
            if not data:
                raise ConnectionError("the server closed the connection")
            rest = rest[-64:] + data
            if first is None:
                if b" 200 " not in rest[:32] and rest.startswith(b"HTTP/1.1"):
                    raise RuntimeError(rest[:2000].decode(errors="replace"))
                if b"event: token" in rest:
                    first = time.perf_counter() - began
            if rest.endswith(b"0\r\n\r\n"):
                break
        measured.firsts.append(first if first is not None else float("nan"))
        measured.wholes.append(time.perf_counter() - began)
    writer.close()


async def _all(given: argparse.Namespace) -> dict[str, object]:
    measured = Measured()
    paths = json.loads(given.paths)
    headers = "".join(f"{line}\r\n" for line in given.header)
    body = given.body.encode()
    began = time.perf_counter()
    await asyncio.gather(
        *(_room(given.port, path, headers, body, given.turns, measured) for path in paths)
    )
    took = time.perf_counter() - began
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "seconds": took,
        "cpu": used.ru_utime + used.ru_stime,
        "firsts": sorted(measured.firsts),
        "wholes": sorted(measured.wholes),
    }


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("--port", type=int, required=True)
    options.add_argument("--paths", required=True, help="JSON list, one path for each room")
    options.add_argument("--body", required=True)
    options.add_argument("--turns", type=int, default=20)
    options.add_argument("--header", action="append", default=[])
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(_all(options.parse_args()))))
