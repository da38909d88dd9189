"""One question on its way to the backends: one answer, another backend when one fails, and exactly one end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from seekway.core.errors import SeekwayError
from seekway.core.ports import AnswerSink, Flow
from seekway.core.types import GenerateRequest
from seekway.pipeline.directory import Route
from seekway.pipeline.dispatch.desk import Desk
from seekway.pipeline.dispatch.verdict import verdict_of
from seekway.pipeline.exchange import Exchange
from seekway.pipeline.routing.endpoint import Endpoint

T = TypeVar("T")

Begin = Callable[[Route, AnswerSink[T]], Flow]
"""Asks the route's backend; raises a ``SeekwayError`` for what it is not to be asked."""


class Inquiry(Generic[T]):
    """A flow, and the sink of whichever backend is asked. ``request`` stands for the question when a backend is chosen.

    Raises, when made, what says that nobody can be asked.
    """

    __slots__ = (
        "_began", "_begin", "_desk", "_endpoint", "_exchange", "_flow", "_lane", "_most", "_over", "_probe", "_request", "_selection",
        "_sink", "_tried",
    )  # fmt: skip

    def __init__(
        self, desk: Desk, request: GenerateRequest, exchange: Exchange, begin: Begin[T], sink: AnswerSink[T]
    ) -> None:
        self._desk = desk
        self._request = request
        self._exchange = exchange
        self._begin = begin
        self._sink = sink
        self._selection = desk.select(request, exchange)
        self._lane = desk.lane(self._selection.pool)
        self._lane.requests += 1
        self._lane.retry_budget.request()
        self._most = self._lane.policy.attempts
        self._tried: tuple[str, ...] = ()
        self._endpoint: Endpoint | None = None
        self._began = 0.0
        self._probe = False
        self._flow: Flow | None = None
        self._over = False
        if not self._ask():
            raise self._lane.out_of_service(desk.time())

    def pause(self) -> None:
        """One answer is not held back."""

    def resume(self) -> None:
        """See :meth:`pause`."""

    def cancel(self) -> None:
        if not self._over:
            self._over = True
            self._let_go()
            if self._flow is not None:
                self._flow.cancel()

    def answer(self, result: T) -> None:
        if self._over:
            return
        self._over = True
        now, endpoint = self._desk.time(), self._endpoint
        if endpoint is not None:
            endpoint.first_event(now, self._began, probe=self._probe)
            endpoint.succeeded(now)
        self._flow = None
        self._sink.answer(result)

    def fail(self, error: SeekwayError) -> None:
        if self._over:
            return
        verdict, endpoint = verdict_of(error), self._endpoint
        self._endpoint = self._flow = None
        if endpoint is not None:
            endpoint.failed(self._desk.time(), self._began, verdict, error.retry_after_s, probe=self._probe)
        try:
            if verdict != "fine" and self._ask():
                return
        except SeekwayError as refused:
            error = refused
        self._over = True
        self._sink.fail(error)

    def _ask(self) -> bool:
        """Ask the next backend, where there is one that may be."""
        exchange, tried, now = self._exchange, self._tried, self._desk.time()
        if len(tried) >= self._most:
            return False
        pick = self._selection.pick
        choice = pick(self._request, exchange, now, tried) or self._lane.last_resort(now, tried)
        if choice is None and (behind := self._desk.behind(exchange, now, again=bool(tried))) is not None:
            self._selection, self._lane = behind
            self._most += self._lane.policy.attempts
            pick = self._selection.pick
            choice = pick(self._request, exchange, now, tried) or pick(self._request, exchange, now, ())
        elif tried and choice is not None and not self._lane.retry_budget.take(now):
            return False
        if choice is None:
            return False
        self._tried = (*tried, choice.endpoint.name)
        exchange.take(choice.route)
        exchange.record.attempts = len(self._tried)
        self._endpoint, self._began, self._probe = choice.endpoint, now, choice.endpoint.begin()
        try:
            self._flow = self._begin(choice.route, self)
        except BaseException:
            self._let_go()
            raise
        return True

    def _let_go(self) -> None:
        endpoint, self._endpoint = self._endpoint, None
        if endpoint is not None:
            endpoint.cancelled(self._desk.time(), self._began, probe=self._probe, silent=True)
