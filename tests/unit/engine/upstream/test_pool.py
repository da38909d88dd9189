"""A process that stood still does not take its own silence for the backend's."""

from __future__ import annotations

import asyncio

import pytest

from seekway.core.errors import BackendUnavailable, DeadlineExceeded
from seekway.engine.upstream.pool import SWEEP_S
from tests.fakes.upstream_wire import FakeWire, RecordedSink
from tests.unit.engine.upstream.answers import STREAMED, WELL

LONG_S = 600.0


class Clock:
    """The running loop's, which goes on when it is told to, beside the little that passes in truth."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        loop = asyncio.get_running_loop()
        real = loop.time
        self._passed = 0.0
        monkeypatch.setattr(loop, "time", lambda: real() + self._passed)

    async def stand_still(self, seconds: float) -> None:
        """The loop does nothing meanwhile, and its timers are late."""
        self._passed += seconds
        for _ in range(3):
            await asyncio.sleep(0)

    async def go_on(self, seconds: float, sink: RecordedSink) -> None:
        """With every sweep in its time, until ``sink`` has heard the end."""
        for _ in range(round(seconds / SWEEP_S)):
            if sink.over:
                break
            await self.stand_still(SWEEP_S)


async def stood_still(monkeypatch: pytest.MonkeyPatch) -> tuple[Clock, FakeWire, RecordedSink]:
    """While a connection is being made that nobody answers."""
    clock, wire, sink = Clock(monkeypatch), FakeWire(), RecordedSink()
    wire.open.clear()
    wire.start(sink)
    await clock.stand_still(LONG_S)
    return clock, wire, sink


async def test_a_connection_is_not_slow_that_nobody_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, wire, sink = await stood_still(monkeypatch)
    await clock.go_on(2, sink)
    assert not sink.over
    wire.open.set()
    connection, _ = await wire.connected()
    connection.data_received(STREAMED["a length"])
    assert sink.ended
    await wire.pool.close()


async def test_a_connection_that_is_not_made_in_time_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, wire, sink = await stood_still(monkeypatch)
    await clock.go_on(60, sink)
    assert isinstance(sink.error, BackendUnavailable)
    assert "did not accept a connection" in sink.error.message
    await wire.pool.close()


async def test_a_backend_is_not_silent_that_nobody_listened_to(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, wire, sink = Clock(monkeypatch), FakeWire(), RecordedSink()
    wire.start(sink)
    connection, _ = await wire.connected()
    await clock.go_on(20, sink)
    await clock.stand_still(LONG_S)
    await clock.go_on(5, sink)
    assert not sink.over
    connection.data_received(STREAMED["a length"])
    assert sink.ended
    await wire.pool.close()


async def test_a_backend_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, wire, sink = Clock(monkeypatch), FakeWire(), RecordedSink()
    wire.start(sink)
    connection, _ = await wire.connected()
    connection.data_received(STREAMED["a length"].removesuffix(WELL))
    await clock.stand_still(LONG_S)
    await clock.go_on(120, sink)
    assert isinstance(sink.error, DeadlineExceeded)
    await wire.pool.close()
