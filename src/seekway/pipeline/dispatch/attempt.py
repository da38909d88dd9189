"""One backend's try at a request: keeps the stream's contract and tells the endpoint how it went."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from seekway.core.errors import (
    BackendProtocolError,
    DeadlineExceeded,
    SeekwayError,
    StreamInterrupted,
    error_from_code,
)
from seekway.core.ports import Flow
from seekway.core.types import ErrorEvent, Event, Finish, ReasoningDelta, TextDelta, ToolCallDelta, Usage
from seekway.pipeline.directory import Route
from seekway.pipeline.dispatch.verdict import verdict_of
from seekway.pipeline.routing.endpoint import Endpoint

_DELTAS = frozenset((TextDelta, ReasoningDelta, ToolCallDelta))
_SILENT, _FLOWING, _ENDING, _CLOSED = range(4)
_OWN_S = 0.05
"""A backend that gives up so short before the request's own deadline has kept to it."""


class AttemptOwner(Protocol):
    """The request whose attempt it is."""

    time: Callable[[], float]
    deadline: float | None
    forward: Callable[[Sequence[Event]], None]
    """Feeds the client's sink."""
    heard: bool
    """Something was forwarded: nothing that goes wrong from here on can be hidden."""

    def attempt_won(self, attempt: Attempt, now: float, /) -> None:
        """It has given the first event of all."""
        ...

    def attempt_ended(self, tail: Sequence[Event], now: float, /) -> None:
        """It is whole; ``tail`` is its end, still to be forwarded."""
        ...

    def attempt_failed(
        self, attempt: Attempt, error: SeekwayError, rest: Sequence[Event], now: float, /, *, final: bool
    ) -> None:
        """It failed; ``rest`` are deltas not yet forwarded, ``final`` says that no other backend would mend it."""
        ...


class _Over:
    """In place of a flow that has ended, which in its turn holds the attempt: a circle would be left to the garbage collector."""

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    def cancel(self) -> None: ...


_OVER = _Over()


class Attempt:
    """The sink that a backend feeds. Usage and finish are held until ``end``, so that no finish is ever taken back."""

    __slots__ = ("_forward", "_owner", "_state", "_tail", "began", "endpoint", "flow", "probe", "route")

    flow: Flow

    def __init__(self, owner: AttemptOwner, endpoint: Endpoint, route: Route, began: float) -> None:
        self._owner = owner
        self._forward = owner.forward
        self._state = _SILENT
        self._tail: Sequence[Event] = ()
        self.endpoint = endpoint
        self.route = route
        self.began = began
        self.probe = endpoint.begin()

    def feed(self, events: Sequence[Event]) -> None:
        if self._state != _FLOWING:
            self._feed_unusual(events)
            return
        for event in events:
            if event.__class__ not in _DELTAS:
                self._begin_end(events)
                return
        self._forward(events)

    def end(self) -> None:
        if self._state == _CLOSED:
            return
        tail = self._tail
        if (problem := None if _is_whole(tail) else _missing(tail)) is not None:
            self.fail(problem)
            return
        self._state = _CLOSED
        self.flow = _OVER
        now = self._owner.time()
        self.endpoint.succeeded(now)
        self._owner.attempt_ended(tail, now)

    def fail(self, error: SeekwayError) -> None:
        if self._state == _CLOSED:
            return
        silent = self._state == _SILENT
        self._state = _CLOSED
        self.flow = _OVER
        owner = self._owner
        now = owner.time()
        rest = [event for event in self._tail if event.__class__ in _DELTAS]
        deadline = owner.deadline
        if type(error) is DeadlineExceeded and deadline is not None and now >= deadline - _OWN_S:
            self.endpoint.cancelled(now, self.began, probe=self.probe, silent=silent)
            owner.attempt_failed(self, error, rest, now, final=True)
            return
        verdict = verdict_of(error)
        self.endpoint.failed(now, self.began, verdict, error.retry_after_s, probe=self.probe)
        owner.attempt_failed(self, error, rest, now, final=verdict == "fine")

    def stop(self, now: float) -> None:
        """End it from this side; its owner hears nothing more."""
        if self._state == _CLOSED:
            return
        silent = self._state == _SILENT
        self._state = _CLOSED
        self.endpoint.cancelled(now, self.began, probe=self.probe, silent=silent)
        flow, self.flow = self.flow, _OVER
        flow.cancel()

    def _feed_unusual(self, events: Sequence[Event]) -> None:
        """The first batch, and whatever comes after the end has begun."""
        if self._state == _SILENT:
            if not events:
                return
            if type(events[0]) is not ErrorEvent:
                owner = self._owner
                now = owner.time()
                self._state = _FLOWING
                self.endpoint.first_event(now, self.began, probe=self.probe)
                owner.attempt_won(self, now)
            for event in events:
                if event.__class__ not in _DELTAS:
                    self._begin_end(events)
                    return
            self._owner.heard = True
            self._forward(events)
        elif self._state == _ENDING:
            self._begin_end(events)

    def _begin_end(self, events: Sequence[Event]) -> None:
        """Hold what is the stream's end; an error among it ends it here."""
        if self._state != _SILENT:
            self._state = _ENDING
        for at, event in enumerate(events):
            if type(event) is ErrorEvent:
                self._tail = (*self._tail, *events[:at])
                flow = self.flow
                self.fail(error_from_code(event.code, event.message, param=event.param))
                flow.cancel()
                return
        self._tail = (*self._tail, *events) if self._tail else events


def _is_whole(tail: Sequence[Event]) -> bool:
    """The common end; the uncommon ones are looked at closely."""
    return len(tail) > 1 and tail[-1].__class__ is Finish and tail[-2].__class__ is Usage


def _missing(tail: Sequence[Event]) -> SeekwayError | None:
    kinds = {event.__class__ for event in tail}
    if Finish not in kinds:
        return StreamInterrupted("The model's answer broke off before its end; send the request again.")
    if Usage not in kinds:
        return BackendProtocolError("The backend counted no tokens; its answer cannot be trusted to be whole.")
    return None
