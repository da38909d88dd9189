"""The stream stages of one answer, between the backend that feeds it and whoever writes it to the client."""

from __future__ import annotations

import time
from collections.abc import Sequence

from seekway.core.errors import SeekwayError, unforeseen
from seekway.core.ports import EventSink, Flow
from seekway.core.types import Event
from seekway.pipeline.stage import AnswerEnded, StageFigures, StreamFilter

OpenFilter = tuple[StreamFilter, StageFigures]


class StreamChain:
    """An :class:`EventSink` that runs every batch through ``filters`` and gives what is left to ``sink``.

    A filter that refuses ends the answer with its error, one that ends it early ends it well; the work behind is cancelled through ``flow``.
    An exception that is nobody's refusal reaches the sink as an ``InternalError`` with its cause.
    """

    __slots__ = ("_ended", "_filters", "_sink", "flow")

    def __init__(self, filters: Sequence[OpenFilter], sink: EventSink) -> None:
        self._filters = filters
        self._sink = sink
        self._ended = False
        self.flow: Flow | None = None

    def feed(self, events: Sequence[Event]) -> None:
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

    def fail(self, error: SeekwayError) -> None:
        if not self._ended:
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

    def _break_off(self, error: Exception) -> None:
        self._ended = True
        if self.flow is not None:
            self.flow.cancel()
        self._sink.fail(error if isinstance(error, SeekwayError) else unforeseen(error))
