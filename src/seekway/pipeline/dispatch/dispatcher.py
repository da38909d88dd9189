"""Sends a request to a backend and sees it through, whatever the backends do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from random import Random
from typing import TypeVar

from seekway.core.errors import SeekwayError
from seekway.core.ports import EventSink, Flow
from seekway.core.types import GenerateRequest
from seekway.pipeline.directory import Route
from seekway.pipeline.dispatch.desk import Desk, Lane, PolicyOf, Select, Shape
from seekway.pipeline.dispatch.dispatch import Dispatch
from seekway.pipeline.dispatch.sweep import Loop
from seekway.pipeline.dispatch.verdict import verdict_of
from seekway.pipeline.exchange import Exchange
from seekway.pipeline.routing.endpoint import Endpoint

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

    async def ask(self, request: GenerateRequest, exchange: Exchange, call: Callable[[Route], Awaitable[T]]) -> T:
        """What ``call`` has of a backend that is asked one question and gives one answer; another one is asked when it fails.

        ``request`` stands for the question when a backend is chosen. Raises what the last backend said.
        """
        desk = self._desk
        selection = desk.select(request, exchange)
        lane = desk.lane(selection.pool)
        lane.requests += 1
        lane.retry_budget.request()
        tried: tuple[str, ...] = ()
        problem: SeekwayError | None = None
        most = lane.policy.attempts
        while len(tried) < most:
            now = desk.time()
            choice = selection.pick(request, exchange, now, tried) or lane.last_resort(now, tried)
            if choice is None and (behind := desk.behind(exchange, now, again=bool(tried))) is not None:
                selection, lane = behind
                most += lane.policy.attempts
                choice = selection.pick(request, exchange, now, tried) or selection.pick(request, exchange, now, ())
            if choice is None or (problem is not None and not lane.retry_budget.take(now)):
                break
            tried = (*tried, choice.endpoint.name)
            exchange.take(choice.route)
            exchange.record.attempts = len(tried)
            try:
                return await _once(choice.endpoint, call(choice.route), desk.time)
            except SeekwayError as error:
                problem = error
                if verdict_of(error) == "fine":
                    break
        raise problem or lane.out_of_service(desk.time())

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


async def _once(endpoint: Endpoint, answer: Awaitable[T], clock: Callable[[], float]) -> T:
    """Await ``answer`` and tell the endpoint how it went."""
    began, probe = clock(), endpoint.begin()
    try:
        result = await answer
    except SeekwayError as error:
        endpoint.failed(clock(), began, verdict_of(error), error.retry_after_s, probe=probe)
        raise
    except BaseException:
        endpoint.cancelled(clock(), began, probe=probe, silent=True)
        raise
    now = clock()
    endpoint.first_event(now, began, probe=probe)
    endpoint.succeeded(now)
    return result


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
