"""An answer that is known already, fed to a sink as a backend would feed it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from seekway.core.ports import EventSink
from seekway.core.types import Event


class Replay:
    """Feeds all ``events`` at once in the loop's next turn, since a sink hears nothing before its flow is known."""

    def __init__(self, events: Sequence[Event], sink: EventSink) -> None:
        self._events = events
        self._sink = sink
        self._paused = False
        self._over = False
        asyncio.get_running_loop().call_soon(self._feed)

    def pause(self) -> None:
        self._paused = True

    def resume(self) -> None:
        if self._paused:
            self._paused = False
            asyncio.get_running_loop().call_soon(self._feed)

    def cancel(self) -> None:
        self._over = True

    def _feed(self) -> None:
        if self._over or self._paused:
            return
        self._over = True
        self._sink.feed(self._events)
        self._sink.end()
