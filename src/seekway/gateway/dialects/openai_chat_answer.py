"""The canonical event stream as ``chat.completion`` or ``chat.completion.chunk`` (api-docs.deepseek.com "Create Chat Completion").

Chunks are written around parts that are encoded once a request; only the delta itself is encoded for each.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from seekway.core.errors import SeekwayError, StreamInterrupted
from seekway.core.types import (
    ErrorEvent,
    Event,
    Finish,
    FinishReason,
    ReasoningDelta,
    Replacement,
    TextDelta,
    TokenLogprob,
    ToolCallDelta,
    Usage,
)
from seekway.gateway.dialects.openai_chat import Delivery
from seekway.gateway.dialects.openai_errors import encode_error
from seekway.gateway.dialects.openai_usage import WireLogprobs, WireUsage, wire_logprobs, wire_usage

BLOCK_END = b"\n\n"
DONE = b"data: [DONE]\n\n"
COMMENT = b": keep-alive\n\n"


class AnswerHead(msgspec.Struct, frozen=True):
    """What every chunk of an answer repeats."""

    id: str
    object: str
    created: int
    model: str
    system_fingerprint: str


class WireCallFunction(msgspec.Struct, frozen=True, omit_defaults=True):
    name: str | UnsetType = UNSET
    arguments: str | UnsetType = UNSET


class WireCallDelta(msgspec.Struct, frozen=True):
    index: int
    function: WireCallFunction
    id: str | UnsetType = UNSET
    type: Literal["function"] | UnsetType = UNSET


class WireCall(msgspec.Struct, frozen=True):
    id: str
    function: WireCallFunction
    type: Literal["function"] = "function"


class WireAnswerMessage(msgspec.Struct, frozen=True):
    content: str
    role: Literal["assistant"] = "assistant"
    reasoning_content: str | UnsetType = UNSET
    tool_calls: tuple[WireCall, ...] | UnsetType = UNSET


class WireChoice(msgspec.Struct, frozen=True):
    index: int
    message: WireAnswerMessage
    logprobs: WireLogprobs | None
    finish_reason: FinishReason


class ChatCompletion(msgspec.Struct, frozen=True):
    id: str
    object: str
    created: int
    model: str
    system_fingerprint: str
    choices: tuple[WireChoice, ...]
    usage: WireUsage


_encode = msgspec.json.Encoder().encode


class ChatStream:
    """Server-sent events; the first delta has the role, usage stands once, on the last chunk."""

    media_type = "text/event-stream; charset=utf-8"
    keep_alive = COMMENT

    def __init__(self, head: AnswerHead, delivery: Delivery) -> None:
        opening = b"data: " + _encode(head)[:-1] + b',"choices":['
        # OpenAI sets usage to null on every chunk but the last when it was asked to send it.
        closing = b',"usage":null}' if delivery.include_usage else b"}"
        self._open = opening + b'{"index":0,"delta":'
        self._close = b',"logprobs":null,"finish_reason":null}]' + closing + BLOCK_END
        self._closing = closing + BLOCK_END
        self._usage_open = opening + b'],"usage":'
        self._include_usage = delivery.include_usage
        self._usage: Usage | None = None
        self._begun = False

    def feed(self, events: Sequence[Event]) -> bytes:
        blocks: list[bytes] = []
        if not self._begun:
            self._begun = True
            blocks += (self._open, b'{"role":"assistant","content":""}', self._close)
        for event in events:
            match event:
                case TextDelta():
                    self._text(blocks, b'{"content":', event)
                case ReasoningDelta():
                    self._text(blocks, b'{"reasoning_content":', event)
                case ToolCallDelta():
                    blocks += (self._open, b'{"tool_calls":[', _encode(_call_delta(event)), b"]}", self._close)
                case Usage():
                    self._usage = event
                case Finish():
                    self._finish(blocks, event)
                case Replacement():
                    self._text(blocks, b'{"content":', TextDelta(event.text))
                case _:
                    raise StreamInterrupted(event.message)
        return b"".join(blocks)

    def end(self) -> bytes:
        return DONE

    def fail(self, error: SeekwayError) -> bytes:
        return b"data: " + encode_error(error) + BLOCK_END

    def _text(self, blocks: list[bytes], key: bytes, event: TextDelta | ReasoningDelta) -> None:
        if not event.logprobs:
            blocks += (self._open, key, _encode(event.text), b"}", self._close)
            return
        tokens = wire_logprobs(event.logprobs)
        is_text = isinstance(event, TextDelta)
        logprobs = WireLogprobs(tokens if is_text else None, None if is_text else tokens)
        blocks += (self._open, key, _encode(event.text), b'},"logprobs":', _encode(logprobs))
        blocks += (b',"finish_reason":null}]', self._closing)

    def _finish(self, blocks: list[bytes], event: Finish) -> None:
        blocks += (self._open, b'{},"logprobs":null,"finish_reason":', _encode(event.reason), b"}]")
        usage = b"" if self._usage is None else _encode(wire_usage(self._usage))
        if self._include_usage is None and usage:
            blocks += (b',"usage":', usage, b"}", BLOCK_END)
        else:
            blocks.append(self._closing)
        if self._include_usage and usage:
            blocks += (self._usage_open, usage, b"}", BLOCK_END)


@dataclass(slots=True)
class _Call:
    id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list[str])


class ChatCollector:
    """One JSON object when all has come."""

    media_type = "application/json"
    keep_alive = b"\n"

    def __init__(self, head: AnswerHead) -> None:
        self._head = head
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._calls: dict[int, _Call] = {}
        self._logprobs: list[TokenLogprob] = []
        self._reasoning_logprobs: list[TokenLogprob] = []
        self._usage: Usage | None = None
        self._finish: Finish | None = None

    def feed(self, events: Sequence[Event]) -> bytes:
        for event in events:
            # By exact type, the commonest first: a case that does not match costs as much as one that does.
            if type(event) is TextDelta:
                self._text.append(event.text)
                self._logprobs += event.logprobs
            elif type(event) is Usage:
                self._usage = event
            elif type(event) is Finish:
                self._finish = event
            elif type(event) is ReasoningDelta:
                self._reasoning.append(event.text)
                self._reasoning_logprobs += event.logprobs
            elif type(event) is ToolCallDelta:
                call = self._calls.setdefault(event.index, _Call())
                call.id, call.name = event.id or call.id, event.name or call.name
                call.arguments.append(event.arguments)
            elif isinstance(event, Replacement):
                self._replace(event.text)
            elif isinstance(event, ErrorEvent):
                raise StreamInterrupted(event.message)
        return b""

    def _replace(self, text: str) -> None:
        for gathered in (self._text, self._reasoning, self._calls, self._logprobs, self._reasoning_logprobs):
            gathered.clear()
        self._text.append(text)

    def end(self) -> bytes:
        if self._finish is None or self._usage is None:
            raise StreamInterrupted("The model's answer broke off before its end; send the request again.")
        message = WireAnswerMessage(
            "".join(self._text),
            reasoning_content="".join(self._reasoning) if self._reasoning else UNSET,
            tool_calls=_calls(call for _, call in sorted(self._calls.items())) if self._calls else UNSET,
        )
        choice = WireChoice(0, message, _both(self._logprobs, self._reasoning_logprobs), self._finish.reason)
        head = self._head
        answer = ChatCompletion(
            head.id,
            head.object,
            head.created,
            head.model,
            head.system_fingerprint,
            (choice,),
            wire_usage(self._usage),
        )
        return _encode(answer)

    def fail(self, error: SeekwayError) -> bytes:
        return encode_error(error)


def _calls(calls: Iterable[_Call]) -> tuple[WireCall, ...]:
    return tuple(WireCall(call.id, WireCallFunction(call.name, "".join(call.arguments))) for call in calls)


def _call_delta(event: ToolCallDelta) -> WireCallDelta:
    """Id, type and name stand only in a call's first piece."""
    if event.id is None:
        return WireCallDelta(event.index, WireCallFunction(arguments=event.arguments))
    return WireCallDelta(
        event.index, WireCallFunction(event.name or UNSET, event.arguments), id=event.id, type="function"
    )


def _both(text: Sequence[TokenLogprob], reasoning: Sequence[TokenLogprob]) -> WireLogprobs | None:
    if not text and not reasoning:
        return None
    return WireLogprobs(wire_logprobs(text) if text else None, wire_logprobs(reasoning) if reasoning else None)
