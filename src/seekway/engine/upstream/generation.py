"""One generation over one connection: the backend's answer, streamed or whole, pushed into a sink as it is read."""

from __future__ import annotations

import asyncio
import zlib
from typing import TYPE_CHECKING

from seekway.core.errors import BackendProtocolError, SeekwayError
from seekway.core.ports import EventSink
from seekway.core.types import Event
from seekway.engine.upstream.call import Inflate
from seekway.engine.upstream.errors import Refusals
from seekway.engine.upstream.response_events import ResponseEvents
from seekway.engine.upstream.sse import SseParser
from seekway.engine.upstream.transport import MAX_REFUSAL_BYTES, WholeCall

if TYPE_CHECKING:
    from seekway.engine.upstream.pool import Pool

MAX_EVENT_BYTES = 4 * 1024 * 1024
MAX_STREAM_BYTES = 256 * 1024 * 1024
MAX_WHOLE_BYTES = 64 * 1024 * 1024
DRAIN_S = 0.25
"""How long the end of the HTTP body may come after the end of the stream in it, for the connection to be kept."""


class Generation(WholeCall):
    """A :class:`seekway.core.ports.Flow`. ``streamed`` is what the backend was asked for.

    The sink hears ``end`` when the stream ends, which may be a moment before the HTTP body does; ``released`` waits for that.
    """

    __slots__ = ("_cancelled", "_parser", "_refusals", "_response", "_sink", "_streamed", "_waiter")

    def __init__(self, pool: Pool, refusals: Refusals, request_id: str, sink: EventSink, *, streamed: bool) -> None:
        super().__init__(pool, MAX_WHOLE_BYTES)
        self._refusals = refusals
        self._response = ResponseEvents(request_id, refusals.backend, refusals)
        self._sink = sink
        self._streamed = streamed
        self._parser: SseParser | None = None
        self._cancelled = False
        self._waiter: asyncio.Future[None] | None = None

    def cancel(self) -> None:
        self._cancelled = True
        if not self.over:
            self.abandon()

    async def released(self) -> None:
        """Return when the connection is in other hands, so that the next request finds it again."""
        if self.connection is not None:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter

    # What the connection tells.

    def answered(self, status: int, headers: dict[bytes, bytes]) -> None:
        super().answered(status, headers)
        if self.over or status != 200:
            return
        media_type = self.media_type
        if self._streamed:
            if media_type == "text/event-stream" or not media_type:
                self._parser = SseParser(MAX_EVENT_BYTES)
                return
            # Some servers answer an error with 200.
            self.limit = MAX_REFUSAL_BYTES
        # A server that names no media type is given the benefit of the doubt.
        if media_type not in ("application/json", ""):
            self.give_up(self._unasked())

    def received(self, data: bytes) -> None:
        if self.over:
            return
        if self._parser is None:
            super().received(data)
        elif self.inflate is None:
            self._read(self._parser, data)
        else:
            self._read_inflated(self._parser, self.inflate, data)

    def finished(self) -> None:
        if self.over or self._parser is None:
            super().finished()
            self._released()
            return
        response = self._response
        if not response.done:
            try:
                events = response.end()
            except SeekwayError as error:
                self.lost(error)
                return
            self._sink.feed(events)
        if not self.over:
            self.over = True
            self._sink.end()

    def lost(self, error: SeekwayError) -> None:
        super().lost(error)
        self._released()

    def done(self, body: bytes) -> None:
        if self.status != 200:
            self._sink.fail(self._refusals.from_answer(self.status, body, self.retry_after))
            return
        if self._streamed:
            found = b'"error"' in body
            self._sink.fail(self._refusals.from_answer(400, body, None) if found else self._unasked())
            return
        try:
            events = self._response.read_whole(body)
        except SeekwayError as error:
            self._sink.fail(error)
            return
        self._sink.feed(events)
        if not self._cancelled:
            self._sink.end()

    def broken(self, error: SeekwayError) -> None:
        self._sink.fail(error)

    def _read_inflated(self, parser: SseParser, inflate: Inflate, data: bytes) -> None:
        inflate.feed(data)
        try:
            while not self.over and (piece := inflate.take()):
                self._read(parser, piece)
        except zlib.error:
            self.give_up(self.pool.failures.lost(begun=True))

    def _read(self, parser: SseParser, data: bytes) -> None:
        self.total += len(data)
        if self.total > MAX_STREAM_BYTES:
            self.give_up(self._unbounded())
            return
        response = self._response
        events: list[Event] = []
        failure: SeekwayError | None = None
        try:
            for payload in parser.payloads(data):
                response.read_into(payload, events)
            if response.done and not self._cancelled:
                events += response.end()
        except SeekwayError as error:
            failure = error
        if events:
            self._sink.feed(events)
            if self.over:
                return
        if failure is not None:
            self.give_up(failure)
        elif response.done:
            self._end_stream()

    def _end_stream(self) -> None:
        """The stream is whole: the sink is told at once, unless the body is whole too and ``finished`` is about to tell it."""
        connection = self.connection
        if connection is None or connection.complete:
            return
        self.over = True
        connection.drain_until = asyncio.get_running_loop().time() + DRAIN_S
        connection.resume()
        self._sink.end()

    def _released(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _unbounded(self) -> SeekwayError:
        return BackendProtocolError(
            f"The backend {self._refusals.backend} streamed more than {MAX_STREAM_BYTES} bytes."
        )

    def _unasked(self) -> SeekwayError:
        asked = "text/event-stream" if self._streamed else "application/json"
        return BackendProtocolError(
            f"The backend {self._refusals.backend} answered {self.media_type[:64]} in place of {asked}; check its base_url."
        )
