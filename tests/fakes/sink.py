"""An :class:`seekway.core.ports.EventSink` that remembers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from seekway.core.errors import SeekwayError
from seekway.core.types import Event


class RecordingSink:
    """``some`` is set at the first events, ``over`` at the end; ``ends`` counts how often it was told that it is over."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.error: SeekwayError | None = None
        self.ends = 0
        self.some = asyncio.Event()
        self.over = asyncio.Event()

    def feed(self, events: Sequence[Event]) -> None:
        assert not self.ends, "fed after the end"
        self.events += events
        self.some.set()

    def end(self) -> None:
        self.ends += 1
        self.over.set()

    def fail(self, error: SeekwayError) -> None:
        self.error = error
        self.ends += 1
        self.over.set()

    async def whole(self) -> list[Event]:
        """The events when it is over; raises what it was told."""
        await asyncio.wait_for(self.over.wait(), 10)
        assert self.ends == 1
        if self.error is not None:
            raise self.error
        return self.events
