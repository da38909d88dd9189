"""One request on its way to the backends: attempts, retries, a hedge, a continuation, and exactly one end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from seekway.core.errors import SeekwayError
from seekway.core.ports import EventSink
from seekway.core.types import Event, GenerateRequest
from seekway.pipeline.dispatch.attempt import Attempt
from seekway.pipeline.dispatch.continuation import KeptAnswer, can_be_continued
from seekway.pipeline.dispatch.desk import Choice, Desk, Lane, Selection
from seekway.pipeline.dispatch.endings import NOWHERE, full, out_of_time
from seekway.pipeline.dispatch.verdict import with_retry_after
from seekway.pipeline.exchange import Exchange

Reason = Literal["", "hedge", "backoff", "line"]


class Dispatch:
    """The flow of one request. ``live`` are its attempts under way: one, two while it is hedged, none while it waits."""

    __slots__ = (
        "_choose", "_continued", "_count", "_desk", "_error", "_exchange", "_kept", "_lane", "_live", "_most", "_over", "_paused", "_request", "_sink",
        "_tried", "_until", "_waits_for", "_whole", "deadline", "forward", "heard", "time",
    )  # fmt: skip

    def __init__(
        self,
        desk: Desk,
        lane: Lane,
        selection: Selection,
        request: GenerateRequest,
        exchange: Exchange,
        sink: EventSink,
    ) -> None:
        self._desk = desk
        self._lane = lane
        self._choose = selection.pick
        self._request = request
        self._exchange = exchange
        self._sink = sink
        self._live: tuple[Attempt, ...] = ()
        self._tried: tuple[str, ...] = ()
        self._count = 0
        self._most = lane.policy.attempts
        self._error: SeekwayError | None = None
        """What the client hears if nothing helps: the last failure, or the first after something was heard."""
        self._over = self._paused = self._continued = False
        self._waits_for: Reason = ""
        self._until = 0.0
        self.time = desk.time
        self.deadline = exchange.deadline
        self.heard = False
        self._kept: KeptAnswer | None = None
        self._whole: list[Event] | None = None
        """What has come for a client that reads only whole answers: until the end another backend may still begin anew."""
        self.forward = sink.feed
        if not request.stream:
            self._whole = []
            self.forward = self._whole.extend
        elif lane.policy.continue_streams != "off" and can_be_continued(request, lane.policy):
            self._kept = KeptAnswer(sink.feed, lane.policy)
            self.forward = self._kept.feed

    def begin(self, now: float) -> None:
        """Make the first attempt. Nothing reaches the sink before this has returned."""
        if self._is_late(now):
            self._fail_soon(out_of_time())
            return
        choice = self._choose(self._request, self._exchange, now, ())
        if choice is None:
            choice = self._lane.last_resort(now, ()) or self._fall_back(now)
        refusal = self._no_room(now) if choice is None else self._try(choice, now)
        if refusal is not None:
            self._fail_soon(refusal)
            return
        policy = self._lane.policy
        if policy.hedge and not self._waits_for:
            usual = self._lane.times.quantile()
            if usual is not None:
                self._waits_for, self._until = "hedge", now + max(usual, policy.hedge_least_s)
        self._watch()

    # The flow.

    def pause(self) -> None:
        self._paused = True
        for attempt in self._live:
            attempt.flow.pause()

    def resume(self) -> None:
        self._paused = False
        for attempt in self._live:
            attempt.flow.resume()

    def cancel(self) -> None:
        if not self._over:
            self._stop(self.time())

    # What the attempts say.

    def attempt_won(self, attempt: Attempt, now: float) -> None:
        live = self._live
        if self._waits_for == "hedge":
            self._waits_for = ""
        if self._lane.policy.hedge:
            self._lane.times.observe(now - attempt.began)
        if len(live) > 1:
            self._live = (attempt,)
            for other in live:
                if other is not attempt:
                    self._lane.times.observe(now - other.began)
                    other.stop(now)
            self._lane.hedges_won += attempt is not live[0]
            self._exchange.take(attempt.route)
            self._make_room(now)

    def attempt_ended(self, tail: Sequence[Event], now: float) -> None:
        self._live = ()
        if self._whole:
            tail = (*self._whole, *tail)
        elif self._kept is not None and self._continued:
            tail = self._kept.whole(tail)
        self.heard = True
        self._sink.feed(tail)
        if not self._over:
            self._over = True
            self._desk.sweep.forget(self)
            self._let_go().end()
        if self._desk.waiting:
            self._desk.room(now)

    def attempt_failed(
        self, attempt: Attempt, error: SeekwayError, rest: Sequence[Event], now: float, *, final: bool
    ) -> None:
        self._live = tuple(other for other in self._live if other is not attempt)
        if self._whole is not None:
            self._whole.clear()
            self.heard = False
        if final and not self._continued:
            self._error = error
        elif self._live:
            # The other attempt of a hedged request goes on.
            self._error = error
            self._exchange.take(self._live[0].route)
            self._make_room(now)
            return
        elif not self.heard:
            self._error = error
            self._retry(now)
            self._make_room(now)
            return
        else:
            self._error = self._error if self._continued else error
            if rest:
                self.forward(rest)
            if not self._over and not final and self._continue(now):
                self._make_room(now)
                return
        self._give_up(now)

    # What the sweep and the line say.

    def due(self, now: float) -> None:
        """See :class:`seekway.pipeline.dispatch.sweep.Watched`."""
        if self._is_late(now):
            self._error = out_of_time()
            self._give_up(now)
            return
        if self._waits_for and now >= self._until:
            if self._waits_for == "line":
                self.shed()
            elif self._waits_for == "hedge":
                self._waits_for = ""
                self._hedge(now)
            else:
                self._waits_for = ""
                self._go(self._pick(now) or self._pick_again(now), now)
        if not self._over:
            self._watch()

    def admit(self, now: float) -> bool:
        """See :class:`seekway.pipeline.dispatch.desk.Waiting`."""
        if self._is_late(now):
            # The sweep, which looks now and then, has not come to it yet. Not at once: many of one deadline would end within each other.
            self._lane.line.leave(self)
            self._waits_for = ""
            self._fail_soon(out_of_time())
            return True
        choice = self._pick(now) or self._pick_again(now)
        if choice is None:
            return False
        self._lane.line.leave(self)
        self._waits_for = ""
        if self._count and not self._lane.retry_budget.take(now):
            self._give_up(now)
            return True
        self._go(choice, now)
        return True

    def shed(self) -> None:
        """It has waited long enough, or somebody more urgent has taken its place in the line."""
        if self._over:
            return
        self._lane.shed += 1
        self._error = self._error or full(self._lane.name)
        self._give_up(self.time())

    # Attempts.

    def _try(self, choice: Choice, now: float, *, hedge: bool = False) -> SeekwayError | None:
        """Start on ``choice``; returns what the request's shaping refused."""
        exchange, endpoint, route = self._exchange, choice.endpoint, choice.route
        exchange.take(route)
        try:
            request = self._desk.shape(self._request, exchange)
        except SeekwayError as error:
            return error
        if self._count:
            self._tried = (*self._tried, endpoint.name)
            endpoint.hedges += hedge
            endpoint.retries += not hedge
        else:
            self._tried = (endpoint.name,)
        self._count += 1
        exchange.record.attempts = self._count
        attempt = Attempt(self, endpoint, route, now)
        attempt.flow = endpoint.source.start(request, attempt)
        self._live = (*self._live, attempt) if hedge else (attempt,)
        if self._paused:
            attempt.flow.pause()
        return None

    def _retry(self, now: float) -> None:
        """After a failure that the client has not seen: on another backend at once, on the same one after a while."""
        policy = self._lane.policy
        if self._is_late(now):
            self._give_up(now)
            return
        choice = None if self._count >= self._most else self._pick(now)
        if choice is None and self._exchange.behind is not None and (other := self._fall_back(now)) is not None:
            self._go(other, now)
            return
        if self._count >= self._most:
            self._give_up(now)
            return
        if choice is None and self._pick_again(now) is None:
            self._go(None, now)
            return
        if not self._lane.retry_budget.take(now):
            self._give_up(now)
            return
        if choice is not None:
            self._go(choice, now)
            return
        longest = min(policy.backoff_s * 2.0 ** (self._count - 1), policy.backoff_most_s)
        self._waits_for, self._until = "backoff", now + self._desk.draw() * longest
        if self.deadline is not None and self._until >= self.deadline:
            self._give_up(now)
        else:
            self._watch()

    def _go(self, choice: Choice | None, now: float) -> None:
        refusal = self._no_room(now) if choice is None else self._try(choice, now)
        if refusal is not None:
            self._error = refusal
            self._give_up(now)
        elif not self._over:
            self._watch()

    def _hedge(self, now: float) -> None:
        if self.heard or len(self._live) != 1 or self._count >= self._most:
            return
        first = self._live[0]
        choice = self._choose(self._request, self._exchange, now, self._tried)
        if choice is None or not self._lane.hedge_budget.take(now):
            return
        # What this backend refuses, the first has taken; the record names the first until the second wins.
        self._try(choice, now, hedge=True)
        self._exchange.take(first.route)

    def _continue(self, now: float) -> bool:
        """Go on with the answer on another backend; says whether one has taken it up."""
        kept = self._kept
        if kept is None or kept.lost or self._count >= self._most or self._is_late(now):
            return False
        choice = self._pick_for(kept, now)
        if choice is None or not self._lane.retry_budget.take(now):
            return False
        original = self._request
        request = kept.continued(original, choice.route.member.kind)
        if request is None:
            return False
        self._continued = True
        self._request = request
        refusal = self._try(choice, now)
        # A second break starts from the client's own request again.
        self._request = original
        self._lane.continued += refusal is None
        return refusal is None

    def _pick_for(self, kept: KeptAnswer, now: float) -> Choice | None:
        unfit: tuple[str, ...] = ()
        for tried in (self._tried, ()):
            while True:
                choice = self._choose(self._request, self._exchange, now, (*tried, *unfit))
                if choice is None:
                    break
                if kept.fits(choice.route.member.kind):
                    return choice
                unfit = (*unfit, choice.endpoint.name)
        return None

    def _pick(self, now: float) -> Choice | None:
        """Somebody who has not been tried."""
        found = self._choose(self._request, self._exchange, now, self._tried)
        return found or self._lane.last_resort(now, self._tried)

    def _pick_again(self, now: float) -> Choice | None:
        return self._choose(self._request, self._exchange, now, ()) or self._lane.last_resort(now, ())

    def _fall_back(self, now: float) -> Choice | None:
        """Somebody for the model that was asked for, when the canary's backends fail; from here on the request goes by that model's lane."""
        behind = self._desk.behind(self._exchange, now, again=self._count > 0)
        if behind is None:
            return None
        selection, self._lane = behind
        self._choose = selection.pick
        self._most += self._lane.policy.attempts
        return self._pick(now) or self._pick_again(now)

    def _no_room(self, now: float) -> SeekwayError | None:
        """Nobody can be asked: stand in line while it is only for want of room; returns the error where that is no use."""
        lane, desk = self._lane, self._desk
        if not lane.full(now):
            wait = lane.wait_s(now)
            if self._error is None:
                return lane.out_of_service(now)
            return with_retry_after(self._error, wait) if wait > 0.0 else self._error
        out = lane.line.join(self, self._exchange.caller.priority)
        if out is self:
            lane.shed += 1
            return self._error or full(lane.name)
        lane.queued += 1
        desk.waiting[lane] = None
        self._waits_for, self._until = "line", now + lane.policy.queue_wait_s
        if isinstance(out, Dispatch):
            # Its sink must not be called from within this request's start.
            desk.loop.call_soon(out.shed)
        return None

    # The end.

    def _is_late(self, now: float) -> bool:
        return self.deadline is not None and now >= self.deadline

    def _give_up(self, now: float) -> None:
        """Stop everything and say why, unless the client has gone."""
        if self._over:
            return
        sink = self._sink
        self._stop(now)
        sink.fail(self._error or out_of_time())

    def _stop(self, now: float) -> None:
        self._over = True
        self._desk.sweep.forget(self)
        if self._waits_for == "line":
            self._lane.line.leave(self)
        self._waits_for = ""
        live, self._live = self._live, ()
        for attempt in live:
            attempt.stop(now)
        self._let_go()
        self._make_room(now)

    def _let_go(self) -> EventSink:
        """The sink, which nothing more reaches; it may hold this flow, and a circle would be left to the garbage collector."""
        sink, self._sink, self.forward, self._kept = self._sink, NOWHERE, NOWHERE.feed, None
        return sink

    def _fail_soon(self, error: SeekwayError) -> None:
        self._error = error
        self._desk.loop.call_soon(self._give_up_now)

    def _give_up_now(self) -> None:
        self._give_up(self.time())

    def _watch(self) -> None:
        if self._waits_for:
            until = self._until
            self._desk.sweep.watch(self, until if self.deadline is None else min(until, self.deadline))
        elif self.deadline is not None:
            self._desk.sweep.watch(self, self.deadline)

    def _make_room(self, now: float) -> None:
        if self._desk.waiting:
            self._desk.room(now)
