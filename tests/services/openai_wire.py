"""What an OpenAI-compatible server says on the wire, as plain data; knows no socket."""

import base64
import hashlib
import json
import math
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

JSON = dict[str, Any]

MODEL = "test-model"
DIMENSIONS = 64
PIECE_CHARACTERS = 7
DONE = b"data: [DONE]\n\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A tool call; ``arguments`` as text goes out as it is, valid JSON or not."""

    name: str
    arguments: Mapping[str, object] | str = field(default_factory=dict)
    id: str | None = None

    @property
    def text(self) -> str:
        if isinstance(self.arguments, str):
            return self.arguments
        return json.dumps(self.arguments, ensure_ascii=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One answer of the server.

    ``data`` is a structured answer: JSON text, or the arguments of the tool that the request
    forces. ``chunks`` are the pieces of a streamed text, else it is cut every few characters.
    ``raw`` is the body byte for byte, each item in a write of its own. ``delay`` seconds pass
    before the first byte, ``pause`` seconds between two pieces. With ``hang`` nothing ever comes,
    with ``hang_after`` nothing after so many pieces of the body; ``cut_after`` loses the connection
    there, ``hold_at`` waits there until the test releases it (from the end, if negative: -1 is
    before ``[DONE]``). ``status`` from 400 on answers with an error in OpenAI's form, of
    ``error_code``.
    """

    text: str | None = None
    data: Mapping[str, object] | None = None
    tool_calls: Sequence[Call] = ()
    chunks: Sequence[str] | None = None
    finish: str | None = None
    usage: tuple[int, int] = (11, 7)
    status: int = 200
    error_code: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    pause: float = 0.0
    raw: Sequence[bytes] | None = None
    hang: bool = False
    hang_after: int | None = None
    cut_after: int | None = None
    hold_at: int | None = None


def event(data: object) -> bytes:
    """One server-sent event."""
    return b"data: " + json.dumps(data, ensure_ascii=False).encode() + b"\n\n"


def chunk(delta: JSON, *, finish: str | None = None, model: str = MODEL) -> JSON:
    """One ``chat.completion.chunk``."""
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return {**_head("chat.completion.chunk", model), "choices": [choice]}


def stream(reply: Reply, request: JSON) -> list[bytes]:
    """The pieces of a streamed answer, ``[DONE]`` last."""
    model = request.get("model", MODEL)
    reply = _fitted(reply, request)
    deltas: list[JSON] = [{"role": "assistant", "content": None if reply.text is None else ""}]
    deltas += [{"content": piece} for piece in _text_pieces(reply)]
    for index, call in enumerate(reply.tool_calls):
        deltas += [{"tool_calls": [piece]} for piece in _call_pieces(index, call)]
    events = [event(chunk(delta, model=model)) for delta in deltas]
    events.append(event(chunk({}, finish=_finish(reply), model=model)))
    if (request.get("stream_options") or {}).get("include_usage"):
        head = _head("chat.completion.chunk", model)
        events.append(event({**head, "choices": [], "usage": _usage(reply)}))
    return [*events, DONE]


def completion(reply: Reply, request: JSON) -> JSON:
    """A whole answer."""
    reply = _fitted(reply, request)
    message: JSON = {"role": "assistant", "content": reply.text, "refusal": None}
    if reply.tool_calls:
        message["tool_calls"] = [_call(index, call) for index, call in enumerate(reply.tool_calls)]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish(reply)}
    head = _head("chat.completion", request.get("model", MODEL))
    return {**head, "choices": [choice], "usage": _usage(reply)}


def failure(reply: Reply) -> JSON:
    """An error in OpenAI's form; its message must never reach a person."""
    message = f"Scripted error {reply.status} with sk-secret-in-error."
    return {
        "error": {"message": message, "type": "scripted", "param": None, "code": reply.error_code}
    }


def echo(request: JSON) -> Reply:
    """The default answer: the last message of the user, or the least data that was asked for."""
    said = next((m for m in reversed(request["messages"]) if m["role"] == "user"), {"content": ""})
    text = _plain(said["content"])
    schema = _asked_schema(request)
    if schema is not None:
        example = least(schema, text)
        return Reply(data=example if isinstance(example, dict) else {"value": example})
    return Reply(text=text)


def least(schema: JSON, text: str, root: JSON | None = None) -> object:
    """A small value that a JSON schema accepts, with ``text`` where a string may be."""
    root = schema if root is None else root
    if "$ref" in schema:
        return least(root["$defs"][schema["$ref"].rsplit("/", 1)[-1]], text, root)
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    if "enum" in schema:
        return schema["enum"][0]
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema:
            return least(schema[key][0], text, root)
    match schema.get("type"):
        case "object":
            fields = schema.get("properties", {})
            return {name: least(one, text, root) for name, one in fields.items()}
        case "array":
            return [least(schema["items"], text, root)] * schema.get("minItems", 0)
        case "string":
            return text[: schema.get("maxLength", len(text))].ljust(schema.get("minLength", 0), "-")
        case "integer" | "number":
            return schema.get("minimum", 0)
        case "boolean":
            return False
    return None


def embeddings(request: JSON) -> JSON:
    """Vectors of length 1; texts that share pairs of characters lie near each other."""
    given = request["input"]
    many = isinstance(given, list) and not (given and isinstance(given[0], int))
    vectors = [_vector(one, request.get("dimensions") or DIMENSIONS) for one in _each(given, many)]
    packed = request.get("encoding_format") == "base64"
    data = [
        {"object": "embedding", "index": index, "embedding": _packed(one) if packed else one}
        for index, one in enumerate(vectors)
    ]
    usage = {"prompt_tokens": len(data), "total_tokens": len(data)}
    return {"object": "list", "data": data, "model": request.get("model"), "usage": usage}


def models(names: Sequence[str]) -> JSON:
    """The list of models."""
    data = [
        {"id": name, "object": "model", "created": 1_700_000_000, "owned_by": "tests"}
        for name in names
    ]
    return {"object": "list", "data": data}


def _head(kind: str, model: str) -> JSON:
    return {"id": "chatcmpl-test", "object": kind, "created": 1_700_000_000, "model": model}


def _usage(reply: Reply) -> JSON:
    prompt, answer = reply.usage
    return {"prompt_tokens": prompt, "completion_tokens": answer, "total_tokens": prompt + answer}


def _finish(reply: Reply) -> str:
    return reply.finish or ("tool_calls" if reply.tool_calls else "stop")


def _fitted(reply: Reply, request: JSON) -> Reply:
    """A reply with ``data`` in the form that the request wants."""
    if reply.data is None:
        return reply
    forced = _forced_tool(request)
    if forced is None:
        return Reply(text=json.dumps(reply.data, ensure_ascii=False), usage=reply.usage)
    return Reply(tool_calls=[Call(name=forced["name"], arguments=reply.data)], usage=reply.usage)


def _forced_tool(request: JSON) -> JSON | None:
    tools: list[JSON] = [tool["function"] for tool in request.get("tools") or ()]
    match request.get("tool_choice"):
        case {"function": {"name": name}}:
            return next(tool for tool in tools if tool["name"] == name)
        case "required":
            return tools[0]
    return None


def _asked_schema(request: JSON) -> JSON | None:
    forced = _forced_tool(request)
    if forced is not None:
        return forced.get("parameters") or {"type": "object"}
    match request.get("response_format"):
        case {"type": "json_schema", "json_schema": {"schema": dict(schema)}}:
            return schema
        case {"type": "json_object"}:
            return {"type": "object"}
    return None


def _text_pieces(reply: Reply) -> Sequence[str]:
    return reply.chunks if reply.chunks is not None else list(_cut(reply.text or ""))


def _call(index: int, call: Call) -> JSON:
    function = {"name": call.name, "arguments": call.text}
    return {"id": call.id or f"call_{index}", "type": "function", "function": function}


def _call_pieces(index: int, call: Call) -> Iterator[JSON]:
    """The first piece names the call, the others bring its arguments."""
    yield {"index": index, **_call(index, Call(name=call.name, arguments="", id=call.id))}
    for piece in _cut(call.text):
        yield {"index": index, "function": {"arguments": piece}}


def _cut(text: str) -> Iterator[str]:
    for start in range(0, len(text), PIECE_CHARACTERS):
        yield text[start : start + PIECE_CHARACTERS]


def _plain(content: str | list[JSON] | None) -> str:
    if isinstance(content, list):
        return "".join(part.get("text", "") for part in content)
    return content or ""


def _each(given: Any, many: bool) -> list[str]:
    return [one if isinstance(one, str) else str(one) for one in (given if many else [given])]


def _vector(text: str, dimensions: int) -> list[float]:
    vector = [0.0] * dimensions
    padded = f" {text.lower()} "
    for pair in pairwise(padded):
        digest = hashlib.sha256("".join(pair).encode()).digest()
        vector[int.from_bytes(digest[:4]) % dimensions] += 1.0
    length = math.sqrt(sum(one * one for one in vector)) or 1.0
    return [one / length for one in vector]


def _packed(vector: Sequence[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
