"""The contract of a backend's stream, kept where it enters the pipeline."""

from __future__ import annotations

from collections.abc import Sequence

from seekway.core.errors import BackendProtocolError, SeekwayError, StreamInterrupted, error_from_code
from seekway.core.ports import EventSink
from seekway.core.types import ErrorEvent, Event, Finish, Usage


class WholeStream:
    """Passes a stream on and fails it where it ends without a ``Finish`` or a ``Usage``, or holds an ``ErrorEvent``."""

    __slots__ = ("_counted", "_failed", "_finished", "_sink")

    def __init__(self, sink: EventSink) -> None:
        self._sink = sink
        self._counted = self._finished = self._failed = False

    def feed(self, events: Sequence[Event]) -> None:
        if self._failed:
            return
        for position, event in enumerate(events):
            kind = type(event)
            if kind is Usage:
                self._counted = True
            elif kind is Finish:
                self._finished = True
            elif isinstance(event, ErrorEvent):
                if position:
                    self._sink.feed(events[:position])
                self.fail(error_from_code(event.code, event.message, param=event.param))
                return
        self._sink.feed(events)

    def end(self) -> None:
        if self._failed:
            return
        if not self._finished:
            self.fail(StreamInterrupted("The model's answer broke off before its end; send the request again."))
        elif not self._counted:
            self.fail(BackendProtocolError("The backend counted no tokens; its answer cannot be trusted to be whole."))
        else:
            self._sink.end()

    def fail(self, error: SeekwayError) -> None:
        if not self._failed:
            self._failed = True
            self._sink.fail(error)
