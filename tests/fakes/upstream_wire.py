"""A connection to a backend without a socket: a test hands it the bytes, split as it likes, and hears what a sink hears."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from seekway.core.errors import SeekwayError
from seekway.core.sections.backends import BackendSettings
from seekway.core.types import Event, GenerateRequest, Message
from seekway.engine.upstream.connection import Connection
from seekway.engine.upstream.errors import Refusals
from seekway.engine.upstream.failures import WireFailures
from seekway.engine.upstream.generation import Generation
from seekway.engine.upstream.pool import Pool


class FakeTransport(asyncio.Transport):
    """``unsent`` is how many bytes of the request the backend has not taken yet."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.closed = False
        self.reading = True
        self.unsent = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))

    def is_closing(self) -> bool:
        return self.closed

    def abort(self) -> None:
        self.closed = True

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def get_write_buffer_size(self) -> int:
        return self.unsent


class RecordedSink:
    """Checks the rules of :class:`seekway.core.ports.EventSink` while it records."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.batches = 0
        self.ended = False
        self.error: SeekwayError | None = None

    def feed(self, events: Sequence[Event], /) -> None:
        assert events
        assert not self.over
        self.batches += 1
        self.events += events

    def end(self) -> None:
        assert not self.over
        self.ended = True

    def fail(self, error: SeekwayError, /) -> None:
        assert not self.over
        self.error = error

    @property
    def over(self) -> bool:
        return self.ended or self.error is not None

    @property
    def outcome(self) -> tuple[list[Event], bool, type[SeekwayError] | None, str | None]:
        error = self.error
        return self.events, self.ended, type(error) if error else None, error.message if error else None


class FakeWire:
    """A pool whose connections end here; ``dialed`` are their transports in order, made while ``open`` is set."""

    def __init__(self, limit: int = 4) -> None:
        self.open = asyncio.Event()
        self.open.set()
        settings = BackendSettings("fake", "http://fake/v1", max_connections=limit)
        self.dialed: list[tuple[Connection, FakeTransport]] = []
        self.pool = Pool(self, WireFailures(settings), limit=limit, connect_timeout_s=5.0, idle_timeout_s=30.0)
        self._refusals = Refusals("fake", None)

    async def dial(self, pool: Pool) -> Connection:
        await self.open.wait()
        connection, transport = Connection(pool), FakeTransport()
        connection.connection_made(transport)
        self.dialed.append((connection, transport))
        return connection

    def start(self, sink: RecordedSink, *, streamed: bool = True) -> Generation:
        request = GenerateRequest("r1", "m", (Message("user", "hi"),), stream=streamed)
        call = Generation(self.pool, self._refusals, request.id, sink, streamed=streamed)
        call.payload = b"the request"
        self.pool.submit(call)
        return call

    async def connected(self, number: int = 1) -> tuple[Connection, FakeTransport]:
        """The ``number``-th connection made, once its request is written; a few turns of the loop are all it takes."""
        for _ in range(20):
            if len(self.dialed) >= number and self.dialed[number - 1][1].written:
                break
            await asyncio.sleep(0)
        return self.dialed[number - 1]


def lose(connection: Connection, transport: FakeTransport, error: Exception | None = None) -> None:
    """What a loop does when the backend closes, or resets with ``error``."""
    transport.closed = True
    connection.connection_lost(error)
