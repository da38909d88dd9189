"""The canonical event stream as an Anthropic message or its stream of events (platform.claude.com "Messages", "Streaming").

The prompt's size is known only at the end, so ``message_start`` says zero and ``message_delta`` has the true counts:
its usage is cumulative by Anthropic's documentation, and its clients overwrite what they had with it.
Anthropic counts cached tokens apart: ``input_tokens`` are those that were not in the cache. Nothing is billed for writing to it.

``signature`` is where Anthropic proves that a thought is its own. Nothing here can prove that, so the value says ``unsigned``;
it is there at all because clients drop thoughts without one, and a model that called a tool must be given its thoughts back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from seekway.core.errors import Overloaded, SeekwayError, StreamInterrupted
from seekway.core.types import Event, Finish, ReasoningDelta, Replacement, TextDelta, ToolCallDelta, Usage
from seekway.gateway.dialects.anthropic_errors import encode_anthropic_error
from seekway.gateway.dialects.anthropic_messages import AnthropicDelivery
from seekway.gateway.dialects.unbroken_calls import UnbrokenCalls, is_object

SIGNATURE = "unsigned"
BLOCK_END = b"\n\n"
PING = b'event: ping\ndata: {"type":"ping"}\n\n'

StopReason = Literal["end_turn", "max_tokens", "stop_sequence", "tool_use", "refusal"]


class MessageHead(msgspec.Struct, frozen=True):
    """``id`` is the message's (``msg_…``), ``request_id`` the request's, which errors carry."""

    id: str
    model: str
    request_id: str


class ThinkingTokens(msgspec.Struct, frozen=True):
    thinking_tokens: int


class WireUsage(msgspec.Struct, frozen=True):
    input_tokens: int
    output_tokens: int
    cache_creation_input_tokens: int
    cache_read_input_tokens: int
    output_tokens_details: ThinkingTokens


class TextBlock(msgspec.Struct, frozen=True, tag="text"):
    text: str


class ThinkingBlock(msgspec.Struct, frozen=True, tag="thinking"):
    thinking: str
    signature: str


class ToolUseBlock(msgspec.Struct, frozen=True, tag="tool_use"):
    """``input`` is the model's own JSON text. What it wrote that is no JSON object stands under ``INVALID_JSON``, Anthropic's own way."""

    id: str
    name: str
    input: msgspec.Raw


class AnthropicMessage(msgspec.Struct, frozen=True):
    id: str
    model: str
    content: tuple[TextBlock | ThinkingBlock | ToolUseBlock, ...]
    stop_reason: StopReason | None
    stop_sequence: str | None
    usage: WireUsage
    type: Literal["message"] = "message"
    role: Literal["assistant"] = "assistant"


class WireDelta(msgspec.Struct, frozen=True):
    stop_reason: StopReason
    stop_sequence: str | None


class _ToolStart(msgspec.Struct, frozen=True, tag="tool_use"):
    id: str
    name: str
    input: dict[str, str] = {}


_encode = msgspec.json.Encoder().encode


def _usage(usage: Usage) -> WireUsage:
    return WireUsage(
        input_tokens=max(usage.prompt_tokens - usage.cached_tokens, 0),
        output_tokens=usage.completion_tokens,
        cache_creation_input_tokens=0,
        cache_read_input_tokens=usage.cached_tokens,
        output_tokens_details=ThinkingTokens(usage.reasoning_tokens),
    )


class _Ending:
    """How the answer ended, kept until all of it is there."""

    def __init__(self) -> None:
        self.called = False
        self._usage: Usage | None = None
        self._finish: Finish | None = None
        self._failure: SeekwayError | None = None

    def take(self, event: Event) -> None:
        """Anything but a delta; a failure is kept for :meth:`said`, since feeding never raises."""
        if isinstance(event, Usage):
            self._usage = event
        elif isinstance(event, Finish):
            self._finish = event

    def fail(self, error: SeekwayError) -> None:
        self._failure = self._failure or error

    def said(self) -> tuple[WireDelta, WireUsage]:
        """Raises when the answer is not whole: Anthropic has no stop reason for that, and any of them would be false."""
        if self._failure is not None:
            raise self._failure
        finish, usage = self._finish, self._usage
        if finish is None or usage is None or finish.reason == "aborted":
            raise StreamInterrupted("The model's answer broke off before its end; send the request again.")
        if finish.reason == "insufficient_system_resource":
            raise Overloaded("The model ran out of resources in the middle of the answer; send the request again.")
        return WireDelta(self._reason(finish), finish.stop), _usage(usage)

    def _reason(self, finish: Finish) -> StopReason:
        if finish.reason == "length":
            return "max_tokens"
        if finish.reason == "content_filter":
            return "refusal"
        if finish.stop is not None:
            return "stop_sequence"
        # Some servers end a turn that called tools with a plain stop; clients run tools only for tool_use.
        return "tool_use" if self.called else "end_turn"


class MessageStream:
    """Server-sent events, one block after the other; :meth:`end` writes ``message_delta`` and ``message_stop``, and only it."""

    media_type = "text/event-stream; charset=utf-8"
    keep_alive = PING

    def __init__(self, head: MessageHead, delivery: AnthropicDelivery) -> None:
        self._head = head
        self._show_thinking = delivery.show_thinking
        self._calls = UnbrokenCalls()
        self._ending = _Ending()
        self._begun = False
        self._open: Literal["", "text", "thinking", "tool_use"] = ""
        self._call = -1
        self._index = -1
        self._delta = b""

    def feed(self, events: Sequence[Event]) -> bytes:
        if len(events) == 1 and (more := self._more(events[0])):
            return more
        out: list[bytes] = [] if self._begun else [self._start()]
        try:
            self._write(self._calls.feed(events), out)
        except SeekwayError as error:
            self._ending.fail(error)
        return b"".join(out)

    def end(self) -> bytes:
        """Raises the error that the answer is to end in, when it is not whole."""
        out: list[bytes] = [] if self._begun else [self._start()]
        self._write(self._calls.end(), out)
        delta, usage = self._ending.said()
        if self._open:
            self._stop(out)
        out += (b'event: message_delta\ndata: {"type":"message_delta","delta":', _encode(delta), b',"usage":')
        out += (_encode(usage), b"}", BLOCK_END, b'event: message_stop\ndata: {"type":"message_stop"}', BLOCK_END)
        return b"".join(out)

    def fail(self, error: SeekwayError) -> bytes:
        return b"event: error\ndata: " + encode_anthropic_error(error, self._head.request_id) + BLOCK_END

    def _more(self, event: Event) -> bytes:
        """The common case: a little more of the text or thought that is open, which no call can be held behind."""
        kind = self._open
        if (kind == "text" and isinstance(event, TextDelta)) or (
            kind == "thinking" and isinstance(event, ReasoningDelta)
        ):
            return self._delta + _encode(event.text) + b"}}\n\n" if event.text else b""
        return b""

    def _start(self) -> bytes:
        self._begun = True
        nothing = _usage(Usage(0, 0))
        message = AnthropicMessage(self._head.id, self._head.model, (), None, None, nothing)
        return b'event: message_start\ndata: {"type":"message_start","message":' + _encode(message) + b"}" + BLOCK_END

    def _write(self, events: Sequence[Event], out: list[bytes]) -> None:
        for event in events:
            if isinstance(event, TextDelta):
                if event.text:
                    if self._open != "text":
                        self._begin(out, "text", b'{"type":"text","text":""}', b'{"type":"text_delta","text":')
                    out += (self._delta, _encode(event.text), b"}}\n\n")
            elif isinstance(event, ReasoningDelta):
                if event.text and self._show_thinking:
                    if self._open != "thinking":
                        block = b'{"type":"thinking","thinking":"","signature":""}'
                        self._begin(out, "thinking", block, b'{"type":"thinking_delta","thinking":')
                    out += (self._delta, _encode(event.text), b"}}\n\n")
            elif isinstance(event, ToolCallDelta):
                self._tool(event, out)
            elif isinstance(event, Usage | Finish):
                self._ending.take(event)
            elif isinstance(event, Replacement):
                self._write((TextDelta(event.text),), out)
            else:
                self._ending.fail(StreamInterrupted(event.message))

    def _tool(self, event: ToolCallDelta, out: list[bytes]) -> None:
        if self._open != "tool_use" or self._call != event.index:
            self._call, self._ending.called = event.index, True
            block = _encode(_ToolStart(event.id or "", event.name or ""))
            self._begin(out, "tool_use", block, b'{"type":"input_json_delta","partial_json":')
        if event.arguments:
            out += (self._delta, _encode(event.arguments), b"}}\n\n")

    def _begin(
        self, out: list[bytes], kind: Literal["text", "thinking", "tool_use"], block: bytes, delta: bytes
    ) -> None:
        if self._open:
            self._stop(out)
        self._open = kind
        self._index += 1
        index = b"%d" % self._index
        out += (b'event: content_block_start\ndata: {"type":"content_block_start","index":', index)
        out += (b',"content_block":', block, b"}", BLOCK_END)
        self._delta = (
            b'event: content_block_delta\ndata: {"type":"content_block_delta","index":' + index + b',"delta":' + delta
        )

    def _stop(self, out: list[bytes]) -> None:
        index = b"%d" % self._index
        if self._open == "thinking":
            out += (b'event: content_block_delta\ndata: {"type":"content_block_delta","index":', index)
            out += (b',"delta":{"type":"signature_delta","signature":', _encode(SIGNATURE), b"}}", BLOCK_END)
        out += (b'event: content_block_stop\ndata: {"type":"content_block_stop","index":', index, b"}", BLOCK_END)
        self._open = ""


@dataclass(slots=True)
class _Block:
    kind: Literal["text", "thinking", "tool_use"]
    call: int = -1
    id: str = ""
    name: str = ""
    pieces: list[str] = field(default_factory=list[str])

    def wire(self) -> TextBlock | ThinkingBlock | ToolUseBlock:
        text = "".join(self.pieces)
        if self.kind == "text":
            return TextBlock(text)
        if self.kind == "thinking":
            return ThinkingBlock(text, SIGNATURE)
        if not text.strip():
            return ToolUseBlock(self.id, self.name, msgspec.Raw(b"{}"))
        return ToolUseBlock(
            self.id, self.name, msgspec.Raw(text if is_object(text) else _encode({"INVALID_JSON": text}))
        )


class MessageCollector:
    """One JSON object when all has come; its blocks are those that :class:`MessageStream` would have sent."""

    media_type = "application/json"
    keep_alive = b"\n"

    def __init__(self, head: MessageHead, delivery: AnthropicDelivery) -> None:
        self._head = head
        self._show_thinking = delivery.show_thinking
        self._calls = UnbrokenCalls()
        self._ending = _Ending()
        self._blocks: list[_Block] = []

    def feed(self, events: Sequence[Event]) -> bytes:
        try:
            self._take(self._calls.feed(events))
        except SeekwayError as error:
            self._ending.fail(error)
        return b""

    def end(self) -> bytes:
        """Raises the error that is to be answered, when the answer is not whole."""
        self._take(self._calls.end())
        delta, usage = self._ending.said()
        content = tuple(block.wire() for block in self._blocks)
        head = self._head
        return _encode(AnthropicMessage(head.id, head.model, content, delta.stop_reason, delta.stop_sequence, usage))

    def fail(self, error: SeekwayError) -> bytes:
        return encode_anthropic_error(error, self._head.request_id)

    def _take(self, events: Sequence[Event]) -> None:
        for event in events:
            if isinstance(event, TextDelta):
                if event.text:
                    self._block("text").pieces.append(event.text)
            elif isinstance(event, ReasoningDelta):
                if event.text and self._show_thinking:
                    self._block("thinking").pieces.append(event.text)
            elif isinstance(event, ToolCallDelta):
                self._ending.called = True
                block = self._block("tool_use", event.index)
                block.id, block.name = event.id or block.id, event.name or block.name
                block.pieces.append(event.arguments)
            elif isinstance(event, Usage | Finish):
                self._ending.take(event)
            elif isinstance(event, Replacement):
                self._blocks = [_Block("text", pieces=[event.text])]
            else:
                self._ending.fail(StreamInterrupted(event.message))

    def _block(self, kind: Literal["text", "thinking", "tool_use"], call: int = -1) -> _Block:
        last = self._blocks[-1] if self._blocks else None
        if last is None or last.kind != kind or last.call != call:
            last = _Block(kind, call)
            self._blocks.append(last)
        return last
