"""Closing the streams that backends return, and joining the deltas that wait in one."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeVar

import msgspec

from seekway.core.types import Event, ReasoningDelta, TextDelta, ToolCallDelta

T = TypeVar("T")


@asynccontextmanager
async def closing(stream: AsyncIterator[T]) -> AsyncGenerator[AsyncIterator[T], None]:
    """Close ``stream`` on the way out, which stops the work behind it; an iterator without ``aclose`` has none to stop."""
    try:
        yield stream
    finally:
        aclose = getattr(stream, "aclose", None)
        if aclose is not None:
            await aclose()


class EventBuffer:
    """Events that wait for one reader; neighbouring deltas of a kind are handed over as one.

    A reader that keeps up gets every event alone and at once; one that is behind gets fewer, longer deltas, and memory
    grows by the text's length instead of by an object a token.
    """

    def __init__(self) -> None:
        self._events: deque[Event] = deque()

    def __len__(self) -> int:
        return len(self._events)

    def append(self, event: Event) -> None:
        self._events.append(event)

    def pop(self) -> Event:
        """The next event, joined with those behind it that continue it; ``IndexError`` when none waits."""
        event = self._events.popleft()
        if not self._events:
            return event
        if isinstance(event, (TextDelta, ReasoningDelta)):
            return self._join_text(event)
        if isinstance(event, ToolCallDelta):
            return self._join_call(event)
        return event

    def _join_text(self, first: TextDelta | ReasoningDelta) -> Event:
        kind = type(first)
        texts, logprobs = [first.text], list(first.logprobs)
        while self._events:
            event = self._events[0]
            if not isinstance(event, kind):
                break
            texts.append(event.text)
            logprobs.extend(event.logprobs)
            self._events.popleft()
        return first if len(texts) == 1 else kind("".join(texts), tuple(logprobs))

    def _join_call(self, first: ToolCallDelta) -> Event:
        pieces = [first.arguments]
        while self._events:
            event = self._events[0]
            # A piece with a name opens another call, which must stay apart.
            if not isinstance(event, ToolCallDelta) or event.index != first.index or event.name or event.id:
                break
            pieces.append(event.arguments)
            self._events.popleft()
        return first if len(pieces) == 1 else msgspec.structs.replace(first, arguments="".join(pieces))
