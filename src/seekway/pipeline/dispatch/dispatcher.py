"""Sends a request to a backend and sees it through, whatever the backends do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from random import Random
from typing import TypeVar

from seekway.core.errors import SeekwayError
from seekway.core.ports import AnswerSink, EventSink, Flow
from seekway.core.types import GenerateRequest
from seekway.pipeline.dispatch.desk import Desk, Lane, PolicyOf, Select, Shape
from seekway.pipeline.dispatch.dispatch import Dispatch
from seekway.pipeline.dispatch.inquiry import Begin, Inquiry
from seekway.pipeline.dispatch.sweep import Loop
from seekway.pipeline.exchange import Exchange

T = TypeVar("T")


class Dispatcher:
    """Failover, retries within a budget, hedging, continuation and a short line before full backends, for every request.

    ``shape`` is run for each attempt, after the exchange has taken its route.
    ``former`` are the lanes of the dispatcher whose place this one takes.
    Everything runs in callbacks of ``loop``: no task and no timer belongs to a single request.
    """

    def __init__(
        self,
        loop: Loop,
        select: Select,
        shape: Shape,
        policy_of: PolicyOf,
        random: Random,
        former: Mapping[str, Lane] | None = None,
    ) -> None:
        self._desk = Desk(loop, select, shape, policy_of, random, former)

    def start(self, request: GenerateRequest, exchange: Exchange, sink: EventSink) -> Flow:
        """Begin; never raises, every failure is the sink's to hear."""
        desk = self._desk
        try:
            selection = desk.select(request, exchange)
        except SeekwayError as error:
            return _Refused(desk, sink, error)
        lane = desk.lane(selection.pool)
        lane.requests += 1
        lane.retry_budget.request()
        if lane.policy.hedge:
            lane.hedge_budget.request()
        dispatch = Dispatch(desk, lane, selection, request, exchange, sink)
        dispatch.begin(desk.time())
        return dispatch

    def inquire(self, request: GenerateRequest, exchange: Exchange, begin: Begin[T], sink: AnswerSink[T]) -> Inquiry[T]:
        """Have ``begin`` ask a backend one question that has one answer; another one is asked when it fails.

        Raises what says that nobody can be asked; all that comes later is the sink's to hear.
        """
        return Inquiry(self._desk, request, exchange, begin, sink)

    def lanes(self) -> Iterable[Lane]:
        """What there is to tell of each model, for the metrics."""
        return self._desk.lanes.values()

    @property
    def lanes_by_name(self) -> Mapping[str, Lane]:
        return self._desk.lanes

    @property
    def watched(self) -> int:
        """Requests under way that have a deadline or wait for something."""
        return len(self._desk.sweep)

    def close(self) -> None:
        """Stop the timer; requests under way are their callers' to cancel."""
        self._desk.sweep.close()


class _Refused:
    """The flow of a request that no backend can take; its sink hears so as soon as ``start`` has returned."""

    def __init__(self, desk: Desk, sink: EventSink, error: SeekwayError) -> None:
        self._sink: EventSink | None = sink
        self._error = error
        desk.loop.call_soon(self._say)

    def pause(self) -> None:
        pass

    def resume(self) -> None:
        pass

    def cancel(self) -> None:
        self._sink = None

    def _say(self) -> None:
        if self._sink is not None:
            self._sink.fail(self._error)
