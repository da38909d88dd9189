"""The canonical event stream as a ``response`` object, or as the semantic events of a streamed one.

Sources: OpenAI's API reference "Streaming events"; api-docs.deepseek.com "Using the Responses API" (reasoning comes as ``reasoning_text``,
the stream's last event is completed, incomplete or failed, and there is no ``[DONE]``).
Each event is an SSE block of an ``event`` and a ``data`` line; ``sequence_number`` counts from 0.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import msgspec

from seekway.core.errors import SeekwayError
from seekway.core.types import Event, ReasoningDelta, Replacement, TextDelta, ToolCallDelta
from seekway.gateway.dialects.openai_chat_answer import BLOCK_END, COMMENT, AnswerHead
from seekway.gateway.dialects.openai_errors import ErrorObject, encode_error
from seekway.gateway.dialects.openai_responses import ResponsesDelivery
from seekway.gateway.dialects.openai_responses_draft import (
    AnyDraft,
    Draft,
    DraftCall,
    DraftMessage,
    DraftReasoning,
    response_logprobs,
)
from seekway.gateway.dialects.openai_responses_object import OutputText, ReasoningText, ResponseObject

_encode = msgspec.json.Encoder().encode


class ErrorMembers(msgspec.Struct, frozen=True):
    """Once as documented, on the event itself, and once as OpenAI's own server sends it, under ``error``.

    The official clients raise for the second and hand the first out as an event like any other.
    """

    code: str
    message: str
    param: str | None
    error: ErrorObject


class ResponsesCollector:
    """One JSON object when all has come."""

    media_type = "application/json"
    keep_alive = b"\n"

    def __init__(self, head: AnswerHead, delivery: ResponsesDelivery, clock: Callable[[], float] = time.time) -> None:
        self._draft = Draft(head, delivery, clock)

    def feed(self, events: Sequence[Event]) -> bytes:
        draft = self._draft
        for event in events:
            match event:
                case TextDelta():
                    draft.text(event)
                case ReasoningDelta():
                    draft.reasoning(event)
                case ToolCallDelta():
                    draft.call(event)
                case Replacement():
                    draft.replace(event.text)
                case _:
                    draft.note(event)
        return b""

    def end(self) -> bytes:
        """Raises a ``SeekwayError`` where the answer is not whole."""
        return _encode(self._draft.finished())

    def fail(self, error: SeekwayError) -> bytes:
        return encode_error(error)


class ResponsesStream:
    """Server-sent events. Messages and reasoning are done when another item begins, calls at the end."""

    media_type = "text/event-stream; charset=utf-8"
    keep_alive = COMMENT

    def __init__(self, head: AnswerHead, delivery: ResponsesDelivery, clock: Callable[[], float] = time.time) -> None:
        self._draft = Draft(head, delivery, clock)
        self._count = 0
        self._begun_items = 0
        self._current: AnyDraft | None = None
        self._delta_open = b""

    def feed(self, events: Sequence[Event]) -> bytes:
        blocks: list[bytes] = []
        self._begin(blocks)
        draft = self._draft
        for event in events:
            match event:
                case TextDelta():
                    self._text(blocks, event)
                case Replacement():
                    # What was sent cannot be taken back.
                    self._text(blocks, TextDelta(event.text))
                case ReasoningDelta():
                    if reasoning := draft.reasoning(event):
                        self._enter(blocks, reasoning)
                        self._delta(blocks, event.text, b"")
                case ToolCallDelta():
                    self._enter(blocks, draft.call(event))
                    if event.arguments:
                        self._delta(blocks, event.arguments, b"")
                case _:
                    draft.note(event)
        return b"".join(blocks)

    def end(self) -> bytes:
        """Raises a ``SeekwayError`` where the answer is not whole: its ending is then ``fail``'s to write."""
        blocks: list[bytes] = []
        closing = [item for item in self._draft.items if item.status == "in_progress"]
        response = self._draft.finished()
        self._begin(blocks)
        for item in closing:
            self._close(blocks, item)
        self._response(blocks, b"response." + response.status.encode(), response)
        return b"".join(blocks)

    def fail(self, error: SeekwayError) -> bytes:
        blocks: list[bytes] = []
        self._begin(blocks)
        inner = ErrorObject(error.message, error.type, error.param, error.code)
        self._event(blocks, b"error", _members(ErrorMembers(error.code, error.message, error.param, inner)))
        self._response(blocks, b"response.failed", self._draft.failed(error))
        return b"".join(blocks)

    def _begin(self, blocks: list[bytes]) -> None:
        if self._count == 0:
            members = b'"response":' + _encode(self._draft.begun())
            self._event(blocks, b"response.created", members)
            self._event(blocks, b"response.in_progress", members)

    def _text(self, blocks: list[bytes], event: TextDelta) -> None:
        if message := self._draft.text(event):
            self._enter(blocks, message)
            logprobs = _encode(response_logprobs(event.logprobs)) if event.logprobs else b"[]"
            self._delta(blocks, event.text, b',"logprobs":' + logprobs)

    def _enter(self, blocks: list[bytes], item: AnyDraft) -> None:
        """Make ``item`` the one that deltas go to; says that it begins when it is new, and that the text before it is done."""
        current = self._current
        if item is current:
            return
        if isinstance(current, DraftMessage | DraftReasoning):
            current.status = "completed"
            self._close(blocks, current)
        if item.index == self._begun_items:
            self._begun_items += 1
            self._open(blocks, item)
        self._current = item
        kind = _KINDS[type(item)]
        content = b"" if isinstance(item, DraftCall) else b',"content_index":0'
        self._delta_open = _block_open(kind + b".delta") + _place(item) + content + b',"delta":'

    def _open(self, blocks: list[bytes], item: AnyDraft) -> None:
        """The item and its part as they are before their first delta."""
        shown = _encode(item.empty())
        self._event(blocks, b"response.output_item.added", _indexed(item) + b',"item":' + shown)
        if not isinstance(item, DraftCall):
            part = OutputText("") if isinstance(item, DraftMessage) else ReasoningText("")
            self._event(
                blocks, b"response.content_part.added", _place(item) + b',"content_index":0,"part":' + _encode(part)
            )

    def _close(self, blocks: list[bytes], item: AnyDraft) -> None:
        kind, place = _KINDS[type(item)] + b".done", _place(item)
        if isinstance(item, DraftCall):
            self._event(blocks, kind, place + b',"arguments":' + _encode(item.text))
        else:
            part = item.part()
            members = b',"content_index":0,"text":' + _encode(part.text)
            if isinstance(part, OutputText):
                members += b',"logprobs":' + _encode(part.logprobs)
            self._event(blocks, kind, place + members)
            self._event(blocks, b"response.content_part.done", place + b',"content_index":0,"part":' + _encode(part))
        shown = _encode(self._draft.item(item))
        self._event(blocks, b"response.output_item.done", _indexed(item) + b',"item":' + shown)

    def _delta(self, blocks: list[bytes], text: str, members: bytes) -> None:
        blocks += (self._delta_open, _encode(text), members, self._number())

    def _response(self, blocks: list[bytes], kind: bytes, response: ResponseObject) -> None:
        self._event(blocks, kind, b'"response":' + _encode(response))

    def _event(self, blocks: list[bytes], kind: bytes, members: bytes) -> None:
        blocks += (_block_open(kind), members, self._number())

    def _number(self) -> bytes:
        self._count += 1
        return b',"sequence_number":%d}' % (self._count - 1) + BLOCK_END


_KINDS: dict[type[AnyDraft], bytes] = {
    DraftMessage: b"response.output_text",
    DraftReasoning: b"response.reasoning_text",
    DraftCall: b"response.function_call_arguments",
}


def _block_open(kind: bytes) -> bytes:
    return b"event: " + kind + b'\ndata: {"type":"' + kind + b'",'


def _indexed(item: AnyDraft) -> bytes:
    return b'"output_index":%d' % item.index


def _place(item: AnyDraft) -> bytes:
    return b'"item_id":%b,"output_index":%d' % (_encode(item.id), item.index)


def _members(struct: msgspec.Struct) -> bytes:
    """An object's members without its braces."""
    return _encode(struct)[1:-1]
