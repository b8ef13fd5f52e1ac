"""A fast OpenAI-compatible model in a process of its own: the same tokens for every request.

Every answer is made of bytes that were encoded once, so that it never is the bottleneck. A request
whose last message asks to ``use the tool`` is answered with a call of its first tool.
"""

import argparse
import asyncio
import json
from typing import Any

import uvloop

TOKENS = 64
HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n"
    b"Connection: keep-alive\r\n\r\n"
)
END = b"0\r\n\r\n"


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _event(delta: dict[str, Any], finish: str | None = None, usage: bool = False) -> bytes:
    choices = [] if usage else [{"index": 0, "delta": delta, "finish_reason": finish}]
    event: dict[str, Any] = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "fake",
        "choices": choices,
    }
    if usage:
        event["usage"] = {"prompt_tokens": 100, "completion_tokens": TOKENS, "total_tokens": 164}
    return _chunk(b"data: " + json.dumps(event).encode() + b"\n\n")


WORDS = [_event({"content": f"word{number} "}) for number in range(TOKENS)]
FIRST = _event({"role": "assistant", "content": ""})
LAST = _event({}, "stop") + _event({}, usage=True) + _chunk(b"data: [DONE]\n\n") + END


def _called(name: str) -> bytes:
    call = {
        "index": 0,
        "id": "call_1",
        "type": "function",
        "function": {"name": name, "arguments": ""},
    }
    piece = {"index": 0, "function": {"arguments": '{"query": "redis"}'}}
    return b"".join(
        [
            FIRST,
            _event({"tool_calls": [call]}),
            _event({"tool_calls": [piece]}),
            _event({}, "tool_calls"),
            _event({}, usage=True),
            _chunk(b"data: [DONE]\n\n"),
            END,
        ]
    )


def _whole(request: dict[str, Any]) -> bytes:
    """Titles and summaries are asked for without a stream, by a schema or a tool."""
    text = {"title": "A talk", "summary": "They talked."}
    message: dict[str, Any] = {"role": "assistant", "content": json.dumps(text)}
    tools = request.get("tools")
    if tools:
        function = {"name": tools[0]["function"]["name"], "arguments": json.dumps(text)}
        message["tool_calls"] = [{"id": "call_1", "type": "function", "function": function}]
    body = json.dumps(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": "fake",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 10, "completion_tokens": 10, "total_tokens": 20},
        }
    ).encode()
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    return head % len(body) + body


async def _serve(pace: float, tool: str, port: int) -> None:
    called = _called(tool)

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                size = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
                body = await reader.readexactly(size)
                await answer(json.loads(body), writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def answer(request: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        if not request.get("stream"):
            writer.write(_whole(request))
            return
        last = request["messages"][-1]
        if last["role"] == "user" and "use the tool" in str(last["content"]):
            writer.write(HEAD + called)
        elif not pace:
            # Token by token, as servers send them; the kernel may hand several over at once.
            writer.write(HEAD + FIRST)
            for word in WORDS:
                writer.write(word)
                await asyncio.sleep(0)
            writer.write(LAST)
        else:
            writer.write(HEAD + FIRST)
            for word in WORDS:
                await asyncio.sleep(pace)
                writer.write(word)
            writer.write(LAST)
        await writer.drain()

    server = await asyncio.start_server(connected, "127.0.0.1", port)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("--pace", type=float, default=0.0, help="seconds between tokens")
    options.add_argument("--tool", default="archive_search")
    options.add_argument("--port", type=int, default=0)
    given = options.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(given.pace, given.tool, given.port))
