"""Values as bytes: LangChain messages in a compact form, plain data as it is. Pure.

The first byte says how the rest is read. Whatever is neither a message nor plain data goes through
LangGraph's serializer, which revives only types that it was told of; nothing is ever pickled.
"""

from functools import cache
from typing import Any

import ormsgpack
from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from langgraph.checkpoint.serde.base import SerializerProtocol

_NONE, _PLAIN, _MESSAGE, _MESSAGES, _OTHER = (bytes([kind]) for kind in range(5))

# Everything that msgpack would quietly turn into something else is refused, so that what comes
# back is what was put in.
_EXACT = (
    ormsgpack.OPT_PASSTHROUGH_BIG_INT
    | ormsgpack.OPT_PASSTHROUGH_DATACLASS
    | ormsgpack.OPT_PASSTHROUGH_DATETIME
    | ormsgpack.OPT_PASSTHROUGH_ENUM
    | ormsgpack.OPT_PASSTHROUGH_SUBCLASS
    | ormsgpack.OPT_PASSTHROUGH_TUPLE
    | ormsgpack.OPT_PASSTHROUGH_UUID
)

_CLASSES: tuple[type[BaseMessage], ...] = (HumanMessage, AIMessage, SystemMessage, ToolMessage)
_NUMBERS = {message: number for number, message in enumerate(_CLASSES)}


def encode(serde: SerializerProtocol, value: Any) -> bytes:
    """``value`` as bytes that ``decode`` turns into its equal."""
    if value is None:
        return _NONE
    try:
        if type(value) in _NUMBERS:
            return _MESSAGE + ormsgpack.packb(_fields(value), option=_EXACT)
        if _are_messages(value):
            return _MESSAGES + ormsgpack.packb([_fields(one) for one in value], option=_EXACT)
        if type(value) is not bytearray:
            return _PLAIN + ormsgpack.packb(value, option=_EXACT)
    except ormsgpack.MsgpackEncodeError:
        pass  # something in it is unusual
    return _OTHER + ormsgpack.packb(serde.dumps_typed(value))


def decode(serde: SerializerProtocol, data: bytes) -> Any:
    """The value that ``encode`` made ``data`` of; ValueError when nothing it made looks so."""
    kind = data[:1]
    if kind == _NONE:
        return None
    content = ormsgpack.unpackb(memoryview(data)[1:])
    if kind == _PLAIN:
        return content
    if kind == _MESSAGE:
        return _message(content)
    if kind == _MESSAGES:
        return [_message(one) for one in content]
    if kind == _OTHER:
        return serde.loads_typed(tuple(content))
    raise ValueError("the data is of a kind that this version does not know")


def _are_messages(value: Any) -> bool:
    return type(value) is list and bool(value) and all(type(one) in _NUMBERS for one in value)


def _fields(message: BaseMessage) -> list[Any]:
    """A message's class and the fields that are not at their defaults."""
    kind = type(message)
    if message.__pydantic_extra__:
        raise ormsgpack.MsgpackEncodeError("a field that its class does not declare")
    defaults = _defaults(kind)
    values = message.__dict__
    return [_NUMBERS[kind], {k: v for k, v in values.items() if v != defaults[k]}]


def _message(content: list[Any]) -> BaseMessage:
    kind, fields = _CLASSES[content[0]], content[1]
    if not fields.keys() <= _defaults(kind).keys():
        outgrown: BaseMessage = kind(**fields)  # a field that the class no longer has
        return outgrown
    message: BaseMessage = kind.__new__(kind)
    # What pickle would do, without pickle: validation took four fifths of the time, and this
    # data was a valid message when it was written.
    message.__setstate__(
        {
            "__dict__": _fresh(kind) | fields,
            "__pydantic_fields_set__": set(fields),
            "__pydantic_extra__": {},
            "__pydantic_private__": None,
        }
    )
    return message


@cache
def _defaults(kind: type[BaseMessage]) -> dict[str, Any]:
    return {name: _default(field) for name, field in kind.model_fields.items()}


def _default(field: Any) -> Any:
    return _REQUIRED if field.is_required() else field.get_default(call_default_factory=True)


@cache
def _own(kind: type[BaseMessage]) -> tuple[str, ...]:
    """The fields whose default no two messages may share."""
    return tuple(k for k, value in _defaults(kind).items() if isinstance(value, dict | list))


def _fresh(kind: type[BaseMessage]) -> dict[str, Any]:
    values = _defaults(kind).copy()
    for name in _own(kind):
        values[name] = values[name].copy()
    return values


class _Required:
    """The default of a field that has none: no value equals it."""


_REQUIRED = _Required()
