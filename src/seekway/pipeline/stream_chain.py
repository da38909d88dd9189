"""The stream stages of one answer, between the backend that feeds it and whoever writes it to the client."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence

from seekway.core.errors import SeekwayError, unforeseen
from seekway.core.ports import EventSink, Flow
from seekway.core.types import Event
from seekway.pipeline.slices import any_large, slices_of
from seekway.pipeline.stage import AnswerEnded, NotingFilter, StageFigures, StreamFilter

OpenFilter = tuple[StreamFilter, StageFigures]


class StreamChain:
    """An :class:`EventSink` that runs every batch through ``filters`` and gives what is left to ``sink``.

    A filter that refuses ends the answer with its error, one that ends it early ends it well; the work behind is cancelled through ``flow``.
    An exception that is nobody's refusal reaches the sink as an ``InternalError`` with its cause.

    A large text, such as a whole answer, is fed in slices with a turn of the event loop between, so that nobody else waits for it.
    The chain is itself the :class:`Flow` of whoever reads it: leaving early leaves off these too.
    """

    __slots__ = ("_ended", "_filters", "_held", "_later", "_sink", "_waiting", "flow")

    def __init__(self, filters: Sequence[OpenFilter], sink: EventSink) -> None:
        self._filters = filters
        self._sink = sink
        self._ended = False
        self._waiting: deque[Event | SeekwayError | None] | None = None
        """What has yet to be fed while a large text is; None for the end, an error for a failure."""
        self._later: asyncio.Task[None] | None = None
        self._held = False
        self.flow: Flow | None = None

    def pause(self) -> None:
        self._held = True
        if self.flow is not None:
            self.flow.pause()

    def resume(self) -> None:
        self._held = False
        if self.flow is not None and self._waiting is None:
            self.flow.resume()

    def cancel(self) -> None:
        self._leave()
        if self._later is not None:
            self._ended = True
        if self.flow is not None:
            self.flow.cancel()

    def feed(self, events: Sequence[Event]) -> None:
        if self._waiting is not None:
            self._waiting.extend(events)
        elif self._filters and any_large(events):
            self._waiting = deque(events)
            if self.flow is not None:
                self.flow.pause()
            # Not in a task group: it is held here until it is done, and ends by itself when the answer is left.
            self._later = asyncio.get_running_loop().create_task(self._feed_waiting(self._waiting))
        else:
            self._feed(events)

    async def _feed_waiting(self, waiting: deque[Event | SeekwayError | None]) -> None:
        while waiting and not self._ended:
            event = waiting.popleft()
            if event is None:
                self._end()
            elif isinstance(event, SeekwayError):
                self._fail(event)
            else:
                for piece in slices_of(event):
                    self._feed((piece,))
                    if self._ended:
                        break
                    await asyncio.sleep(0)
        self._waiting = None
        if self.flow is not None and not self._held and not self._ended:
            self.flow.resume()

    def _feed(self, events: Sequence[Event]) -> None:
        if self._ended:
            return
        try:
            events = self._through(0, events)
        except AnswerEnded as ended:
            self._end_early(ended)
            return
        except Exception as error:  # noqa: BLE001 - this is called by a connection's callback, where nobody else could answer the client
            self._break_off(error)
            return
        if events:
            self._sink.feed(events)

    def end(self) -> None:
        if self._waiting is not None:
            self._waiting.append(None)
        else:
            self._end()

    def fail(self, error: SeekwayError) -> None:
        if self._waiting is not None:
            self._waiting.append(error)
        else:
            self._fail(error)

    def _end(self) -> None:
        if self._ended:
            return
        try:
            self._end_filters(0)
        except AnswerEnded as ended:
            self._end_early(ended)
            return
        except Exception as error:  # noqa: BLE001 - as above
            self._break_off(error)
            return
        self._ended = True
        self._sink.end()

    def _fail(self, error: SeekwayError) -> None:
        if not self._ended:
            self._leave()
            self._ended = True
            self._sink.fail(error)

    def _through(self, first: int, events: Sequence[Event]) -> Sequence[Event]:
        # One reading of the clock is a filter's end and the next one's beginning.
        clock = time.perf_counter
        then = clock()
        for stream_filter, figures in self._filters[first:] if first else self._filters:
            if not events:
                break
            figures.events += len(events)
            events = stream_filter.feed(events)
            now = clock()
            figures.seconds += now - then
            then = now
        return events

    def _end_filters(self, first: int) -> None:
        """What a filter held back goes through the filters after it, before they end themselves."""
        for position, (stream_filter, _) in enumerate(self._filters[first:], first):
            held = stream_filter.end()
            if held and (events := self._through(position + 1, held)):
                self._sink.feed(events)

    def _end_early(self, ended: AnswerEnded) -> None:
        self._leave()
        if self.flow is not None:
            self.flow.cancel()
        after = 1 + next(at for at, (stream_filter, _) in enumerate(self._filters) if stream_filter is ended.by)
        try:
            if events := self._through(after, ended.events):
                self._sink.feed(events)
            self._end_filters(after)
        except AnswerEnded as again:
            # A filter further on has something to say of the last events; the list gets shorter each time.
            self._end_early(again)
        except Exception as error:  # noqa: BLE001 - as above
            self._break_off(error)
        else:
            self._ended = True
            self._sink.end()

    def _leave(self) -> None:
        if not self._ended:
            for stream_filter, _ in self._filters:
                if isinstance(stream_filter, NotingFilter):
                    stream_filter.leave()

    def _break_off(self, error: Exception) -> None:
        self._leave()
        self._ended = True
        if self.flow is not None:
            self.flow.cancel()
        self._sink.fail(error if isinstance(error, SeekwayError) else unforeseen(error))
