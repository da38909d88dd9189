"""An answer as it is kept: its events with neighbouring deltas joined, as MessagePack."""

from __future__ import annotations

from collections.abc import Sequence
from io import StringIO
from typing import Final

import msgspec

from seekway.core.types import (
    Event,
    Finish,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    Usage,
)

_PIECE: Final = 512
"""Characters of one replayed delta: readers of server-sent events bound the length of a line."""

_Joined = type[TextDelta] | type[ReasoningDelta] | int | None
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[Event, ...]).decode


class AnswerCollector:
    """Takes a stream's events as they pass and gives the answer to keep; an answer of more than ``most`` bytes is let go.

    Texts are joined as they come: a token's string of its own takes thirty times the memory of its letters.
    """

    # Defaults of the class and not of each instance: one is made for every request that is not answered from the cache.
    _size = 0
    _joined: _Joined = None
    _head: ToolCallDelta | None = None
    _text: StringIO | None = None
    _usage: Usage | None = None
    _finish: Finish | None = None

    def __init__(self, most: int) -> None:
        self._most = most
        self._parts: list[Event] = []

    def feed(self, events: Sequence[Event]) -> None:
        if self._size > self._most:
            return
        if len(events) == 3 and not self._parts and self._text is None and self._take_whole(*events):
            return
        for event in events:
            kind = type(event)
            if kind is TextDelta or kind is ReasoningDelta:
                self._add_text(event)  # pyright: ignore[reportArgumentType] - type() does not narrow, and a match costs twice as much
            elif type(event) is ToolCallDelta:
                self._add_call(event)
            elif type(event) is Usage:
                self._usage = event
            elif type(event) is Finish:
                self._finish = event
        if self._size > self._most:
            self._parts.clear()
            self._text = None

    def _take_whole(self, said: Event, usage: Event, finish: Event) -> bool:
        """An answer that came in one piece has nothing to be joined; False where it is another kind of three events."""
        if not (
            (type(said) is TextDelta or type(said) is ReasoningDelta)
            and type(usage) is Usage
            and type(finish) is Finish
            and said.text
            and not said.logprobs
        ):
            return False
        self._size = len(said.text)
        if self._size <= self._most:
            self._parts.append(said)
        self._usage, self._finish = usage, finish
        return True

    def result(self, max_tokens: int | None) -> bytes | None:
        """The answer; None where it must not be kept: unfinished, empty, too large, or cut by something else than the request.

        ``length`` is the request's own end only when as many tokens came as ``max_tokens`` allows.
        """
        usage, finish = self._usage, self._finish
        if usage is None or finish is None or self._size > self._most:
            return None
        self._flush()
        match finish.reason:
            case "stop" | "tool_calls":
                pass
            case "length":
                if max_tokens is None or usage.completion_tokens < max_tokens:
                    return None
            case _:
                return None
        if not self._parts:
            return None
        # Whoever is answered from here is told that the whole prompt came from a cache.
        told = Usage(usage.prompt_tokens, usage.completion_tokens, usage.prompt_tokens, usage.reasoning_tokens)
        answer = _encode((*self._parts, told, finish))
        return answer if len(answer) <= self._most else None

    def _add_text(self, event: TextDelta | ReasoningDelta) -> None:
        self._size += len(event.text)
        if event.logprobs:
            self._flush()
            # A token with its candidates stays as it came; the guess of its size is on the high side.
            self._size += 64 * (len(event.logprobs) + sum(len(token.top) for token in event.logprobs))
            self._parts.append(event)
            return
        if self._joined is not type(event) or self._text is None:
            self._flush()
            self._joined, self._text = type(event), StringIO()
        self._text.write(event.text)

    def _add_call(self, event: ToolCallDelta) -> None:
        self._size += len(event.arguments) + 16
        if self._joined != event.index or event.id is not None or event.name is not None or self._text is None:
            self._flush()
            self._joined, self._text, self._head = event.index, StringIO(), event
        self._text.write(event.arguments)

    def _flush(self) -> None:
        if self._text is None:
            return
        text, joined = self._text.getvalue(), self._joined
        if joined is TextDelta or joined is ReasoningDelta:
            if text:
                self._parts.append(joined(text))
        elif self._head is not None:
            self._parts.append(msgspec.structs.replace(self._head, arguments=text))
        self._joined = self._text = self._head = None


def read_answer(kept: bytes) -> tuple[Event, ...]:
    """The events of a kept answer; raises ``msgspec.DecodeError`` for what is none."""
    return _decode(kept)


def replay(events: Sequence[Event], *, stream: bool) -> Sequence[Event]:
    """The events as a backend would have given them: a stream's long texts in pieces, a whole answer's in one."""
    if not stream:
        return events
    pieces: list[Event] = []
    for event in events:
        match event:
            case TextDelta(text, logprobs) if len(text) > _PIECE and not logprobs:
                pieces += [TextDelta(text[i : i + _PIECE]) for i in range(0, len(text), _PIECE)]
            case ReasoningDelta(text, logprobs) if len(text) > _PIECE and not logprobs:
                pieces += [ReasoningDelta(text[i : i + _PIECE]) for i in range(0, len(text), _PIECE)]
            case ToolCallDelta(index, _, _, text) if len(text) > _PIECE:
                pieces.append(msgspec.structs.replace(event, arguments=text[:_PIECE]))
                pieces += [
                    ToolCallDelta(index, arguments=text[i : i + _PIECE]) for i in range(_PIECE, len(text), _PIECE)
                ]
            case _:
                pieces.append(event)
    return pieces
