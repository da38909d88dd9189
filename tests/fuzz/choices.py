"""Bytes as a source of decisions, so that one format serves every engine that makes bytes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TypeVar

import msgspec
from msgspec import inspect

T = TypeVar("T")
_MOST_DEEP = 8
_TEXTS = (
    "",
    "a",
    "deepseek-chat",
    "fake",
    "user",
    "text",
    "<think>",
    "\x00",
    "\u2028",
    "😀",
    "data: [DONE]\n\n",
    "a" * 300,
)
_EMPTY: tuple[object, ...] = (list[object](), dict[str, object](), [list[object]()])
_ODD: tuple[object, ...] = (None, True, -1, 0, 2**31, 2**63, 2**64, 10**40, 1.5, -0.0, 1e308, "", *_EMPTY, {"": None})


class Choices:
    """Zeros follow where the bytes are used up, so every input decides everything."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        """Something is left to decide with."""
        return self._at < len(self._data)

    def below(self, bound: int) -> int:
        self._at += 1
        return self._data[self._at - 1] % bound if self._at <= len(self._data) else 0

    def chance(self, one_in: int) -> bool:
        return self.below(one_in) == one_in - 1

    def pick(self, options: Sequence[T]) -> T:
        return options[self.below(len(options))]

    def text(self) -> str:
        if self.chance(4):
            return "".join(chr(self.below(256) * 256 % 0xD800 + self.below(128)) for _ in range(self.below(6)))
        return self.pick(_TEXTS)

    def rest(self) -> bytes:
        found = self._data[self._at :]
        self._at = len(self._data)
        return found


def value_of(kind: inspect.Type, choices: Choices, depth: int = 0) -> object:
    """A value that fits ``kind``, most of the time."""
    if choices.chance(24):
        return _deep(choices) if choices.chance(12) else choices.pick(_ODD)
    match kind:
        case inspect.StructType():
            return _struct(kind, choices, depth)
        case inspect.UnionType():
            return value_of(choices.pick(kind.types), choices, depth)
        case inspect.LiteralType():
            return choices.pick(kind.values)
        case inspect.ListType() | inspect.VarTupleType():
            count = 0 if depth > _MOST_DEEP else 1 + choices.below(3)
            return [value_of(kind.item_type, choices, depth + 1) for _ in range(count)]
        case inspect.DictType():
            if choices.chance(3):
                return _schema(choices, depth)
            return {choices.text(): value_of(kind.value_type, choices, depth + 1) for _ in range(choices.below(3))}
        case _:
            return _scalar(kind, choices, depth)


def _struct(kind: inspect.StructType, choices: Choices, depth: int) -> dict[str, object]:
    made: dict[str, object] = {} if kind.tag_field is None else {kind.tag_field: kind.tag}
    for field in kind.fields:
        if field.required or (depth <= _MOST_DEEP and choices.chance(4)):
            # What is said to be strict is looked at more closely.
            strict = field.encode_name == "strict" and not choices.chance(3)
            made[field.encode_name] = strict or value_of(field.type, choices, depth + 1)
    if choices.chance(16):
        made[choices.text()] = choices.pick(_ODD)
    return made


def _scalar(kind: inspect.Type, choices: Choices, depth: int) -> object:
    match kind:
        case inspect.StrType():
            return choices.text()
        case inspect.IntType():
            return choices.pick((0, 1, 2, 16, -1, 4097))
        case inspect.FloatType():
            return choices.pick((0.0, 0.5, 1, 2, -2.0))
        case inspect.BoolType():
            return choices.chance(2)
        case inspect.NoneType():
            return None
        case _:
            # Any: a JSON schema, as often as not.
            nested = {} if depth > _MOST_DEEP else {choices.text(): _scalar(kind, choices, depth + 2)}
            return choices.pick((*_ODD, nested, _schema(choices, depth), {"$ref": "#"}))


def _schema(choices: Choices, depth: int) -> dict[str, object]:
    """A JSON schema, or what a client takes for one."""
    if depth > _MOST_DEEP:
        return {}
    names = ("type", "properties", "required", "additionalProperties", "items", "anyOf", "$defs", "enum", "const")
    kinds: tuple[object, ...] = ("object", "array", "string", ["string", "null"], False, *_EMPTY, {"a": {}}, ["a"])
    made: dict[str, object] = {}
    while choices and not choices.chance(3):
        made[choices.pick(names)] = _schema(choices, depth + 1) if choices.chance(3) else choices.pick(kinds)
    return made


def _deep(choices: Choices) -> object:
    made: object = {}
    for _ in range(choices.below(200) * 4):
        made = {"a": made}
    return made


def body_of(struct: type[msgspec.Struct], choices: Choices) -> bytes:
    """JSON that ``struct`` decodes, most of the time; a tail of the bytes may spoil it."""
    # The standard library writes whole numbers of any size.
    body = bytearray(json.dumps(value_of(inspect.type_info(struct), choices), ensure_ascii=False).encode())
    if choices.chance(16):
        return b"\xef\xbb\xbf" + bytes(body)
    while choices and choices.chance(8):
        body[choices.below(256) % len(body)] = choices.below(256)
    return bytes(body)
