"""Limits counted together with other gateways, in Redis; alone and within this gateway's share while Redis is away.

Everything that one gateway has to ask and tell goes in one call of one script, one call at a time: what comes while a call is under way
goes with the next, so that calls grow with the load instead of multiplying.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from importlib import resources
from typing import Protocol, TypeVar

import msgspec
from structlog.typing import FilteringBoundLogger

from seekway.core.errors import RateLimited, StorageFailed
from seekway.pipeline.quota.buckets import Bucket, Kind, Plan
from seekway.pipeline.quota.local import LocalQuota
from seekway.pipeline.quota.refusal import refused, too_large
from seekway.pipeline.quota.rules import LimitBook

_KINDS: dict[Kind, int] = {"requests": 0, "tokens": 1, "concurrent": 2}
_MOST_OPERATIONS = 200
_MOST_CARRIED = 200
_Operation = tuple[object, ...]
_Answer = TypeVar("_Answer")
_VERDICT = msgspec.msgpack.Decoder(tuple[int, float, tuple[float, ...]], strict=False)


class Script(Protocol):
    """Runs ``shared.lua``; raises ``StorageFailed``."""

    async def run(self, payload: bytes, /) -> bytes: ...

    async def close(self) -> None: ...


def script_source() -> str:
    return resources.files("seekway.pipeline.quota").joinpath("shared.lua").read_text("utf-8")


class _Asked:
    """A request that waits for its verdict."""

    __slots__ = ("plan", "tokens", "verdict")

    def __init__(self, plan: Plan, tokens: int, verdict: asyncio.Future[None]) -> None:
        self.plan = plan
        self.tokens = tokens
        self.verdict = verdict

    def operation(self) -> _Operation:
        buckets = [(b.id, _KINDS[b.kind], b.limit, b.rate) for b in self.plan.every]
        return ("a", self.tokens, buckets)


class SharedQuota:
    """``local`` holds what is under way here at all times, and counts alone while Redis is away.

    A gateway on its own weighs each request as many times as gateways were last seen, so that together they keep the limits. Its buckets then
    begin as full as Redis last said, and what it let through is carried to Redis before that is asked again: neither way gives a burst.
    The gateway takes a new name each time it comes back, so that nothing which it held under the old one is counted twice.

    ``beat_s`` is how often a gateway tells that it lives; after three beats missed its running requests no longer count.
    ``server_clock`` is for tests: seconds instead of Redis' own clock.
    """

    def __init__(
        self,
        book: LimitBook,
        local: LocalQuota,
        script: Script,
        *,
        log: FilteringBoundLogger,
        prefix: str,
        beat_s: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
        server_clock: Callable[[], float] | None = None,
    ) -> None:
        self._book = book
        self._local = local
        self._script = script
        self._log = log
        self._prefix = prefix
        self._beat_s = beat_s
        self._clock = clock
        self._server_clock = server_clock
        self._name = secrets.token_hex(6)
        self._former = ""
        self._asked: list[_Asked] = []
        self._told: list[_Operation] = []
        self._wake = asyncio.Event()
        self.connected = False
        self.gateways = 1
        self.outages = 0
        self.alone = 0

    def admit(self, plan: Plan, tokens: int) -> asyncio.Future[None] | None:
        if not self.connected:
            self.alone += 1
            return self._local.admit(plan, tokens)
        verdict = asyncio.get_running_loop().create_future()
        self._asked.append(_Asked(plan, tokens, verdict))
        self._wake.set()
        return verdict

    def settle(self, plan: Plan, held: int, used: int) -> None:
        if not self.connected:
            self._local.settle(plan, held, used)
            return
        told: list[tuple[str, float, int, int]] = []
        for bucket in plan.tokens:
            bucket.held -= held
            # Redis' next answer brings the level; should there be none, this is carried later.
            bucket.level += used * self._local.weight
            told.append((bucket.id, bucket.rate, held, used))
        for bucket in plan.slots:
            bucket.held -= 1
            told.append((bucket.id, bucket.rate, 1, 0))
        self._told.append(("s", told))
        self._wake.set()

    async def run(self) -> None:
        """Talk to Redis until cancelled."""
        beat_at = self._clock()
        while True:
            if self._clock() >= beat_at:
                beat_at = self._clock() + self._beat_s
                await self.beat()
            if self.connected:
                await self.exchange()
            if self._asked or self._told:
                continue
            self._wake.clear()
            try:
                async with asyncio.timeout(max(beat_at - self._clock(), 0.0)):
                    await self._wake.wait()
            except TimeoutError:
                pass

    async def close(self) -> None:
        """Tell Redis what is left to tell, as far as it answers."""
        while self.connected and (self._asked or self._told):
            await self.exchange()
        await self._script.close()

    async def beat(self) -> None:
        """Tell that this gateway lives, learn how many do, and come back when Redis does."""
        try:
            ((gateways, known),) = await self._call([("b",)], tuple[tuple[int, int]])
        except StorageFailed as error:
            self._leave(error)
            return
        self.gateways = self._local.weight = max(1, gateways)
        self._former = ""
        if not self.connected:
            self._told = self._carried()
            self.connected = True
            self._log.info("limits_shared", gateways=self.gateways)
        elif not known:
            # The others have stopped counting what runs here, or Redis has forgotten: say it again, after what was settled.
            self._told += self._carried()

    async def exchange(self) -> None:
        """One call with what waits, up to a bound; its answers are delivered."""
        told, self._told = self._told[:_MOST_OPERATIONS], self._told[_MOST_OPERATIONS:]
        room = 0 if self._told else _MOST_OPERATIONS
        asked, self._asked = self._asked[:room], self._asked[room:]
        # Who went away while waiting takes nothing.
        asked = [one for one in asked if not one.verdict.cancelled()]
        if not told and not asked:
            return
        try:
            answers = await self._call([*told, *(one.operation() for one in asked)], list[msgspec.Raw])
        except BaseException as error:
            self._asked[:0] = asked
            self._told[:0] = told
            if not isinstance(error, StorageFailed):
                raise
            self._leave(error)
            return
        for one, answer in zip(asked, answers[len(told) :], strict=True):
            self._deliver(one, *_VERDICT.decode(answer))

    def _deliver(self, one: _Asked, worst: int, wait: float, levels: tuple[float, ...]) -> None:
        now = self._clock()
        for bucket, level in zip(one.plan.every, levels, strict=True):
            bucket.level = bucket.mirror = level
            bucket.at = bucket.mirror_at = now
        if not worst:
            for bucket in one.plan.tokens:
                bucket.held += one.tokens
            for bucket in one.plan.slots:
                bucket.held += 1
            if one.verdict.cancelled():
                self.settle(one.plan, one.tokens, 0)
            else:
                one.verdict.set_result(None)
            return
        self._local.refused += 1
        if not one.verdict.cancelled():
            bucket = one.plan.every[worst - 1]
            one.verdict.set_exception(refused(bucket, wait) if wait >= 0 else too_large(bucket, one.tokens))

    def _leave(self, error: StorageFailed) -> None:
        """Redis is away: whoever waits is judged here, and what was not told is carried later."""
        if self.connected:
            self.outages += 1
            self._log.warning("limits_alone", gateways=self.gateways, reason=error.message)
        self.connected = False
        self._rename()
        self._told = []
        asked, self._asked = self._asked, []
        for one in asked:
            if one.verdict.cancelled():
                continue
            self.alone += 1
            try:
                self._local.admit(one.plan, one.tokens)
            except RateLimited as refusal:
                one.verdict.set_exception(refusal)
            else:
                one.verdict.set_result(None)

    def _rename(self) -> None:
        self._former = self._former or self._name
        self._name = secrets.token_hex(6)

    def _carried(self) -> list[_Operation]:
        """What this gateway let through since Redis last spoke, and what runs here now."""
        now = self._clock()
        buckets = [bucket for bucket in self._book.buckets() if not bucket.idle(now)]
        carried = [self._carry(bucket, now) for bucket in buckets]
        return [("c", carried[i : i + _MOST_CARRIED]) for i in range(0, len(carried), _MOST_CARRIED)]

    def _carry(self, bucket: Bucket, now: float) -> tuple[str, float, float, float, int]:
        level = bucket.leak(now)
        base = max(0.0, bucket.mirror - (now - bucket.mirror_at) * bucket.rate)
        bucket.mirror, bucket.mirror_at = level, now
        return (bucket.id, bucket.rate, base, max(0.0, level - base) / self._local.weight, int(bucket.held))

    async def _call(self, operations: list[_Operation], answer: type[_Answer]) -> _Answer:
        now = self._server_clock() if self._server_clock is not None else 0
        batch = (self._prefix, self._name, self._former, now, 3 * self._beat_s, operations)
        said = await self._script.run(msgspec.msgpack.encode(batch))
        try:
            return msgspec.msgpack.decode(said, type=answer, strict=False)
        except msgspec.DecodeError as error:
            raise StorageFailed(f"Redis answers what its script cannot have said: {error}.") from error
