"""The measurements: the bare engine and the served one in turns, so that a shared machine's noise hits both."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Callable, Sequence

import msgspec
import psutil
import uvloop

from benchmarks.engine import direct_load, http_load
from benchmarks.engine.bare import Ask
from benchmarks.engine.processes import BareProcess, Served, Usage
from benchmarks.engine.prompts import Chat
from seekway.model_service.client import ModelServiceBackend

Say = Callable[[str], None]


class Round(msgspec.Struct, frozen=True):
    """One round at one concurrency; rates in tokens a second, CPU in seconds for 1,000 tokens."""

    bare: float
    http: float
    bare_tokens: int
    http_tokens: int
    http_cached_tokens: int
    http_first_token_ms: float
    bare_cpu: float
    http_cpu: dict[str, float]

    @property
    def ratio(self) -> float:
        return self.http / self.bare


class Level(msgspec.Struct, frozen=True):
    """All rounds at one concurrency, and the served processes' resident bytes under the last round's load."""

    concurrency: int
    rounds: list[Round]
    rss: dict[str, int]


class Alone(msgspec.Struct, frozen=True):
    """Milliseconds of one chat alone, a list a way: to the first token, and to the last."""

    first_token: dict[str, list[float]]
    whole: dict[str, list[float]]


class Bench:
    """``model`` is served by ``served`` and by ``bare``."""

    def __init__(
        self, bare: BareProcess, served: Served, model: str, end_ids: list[int], max_tokens: int, say: Say
    ) -> None:
        self._bare = bare
        self._served = served
        self._model = model
        self._end_ids = end_ids
        self._max_tokens = max_tokens
        self._say = say
        self._client = psutil.Process()

    def warm_up(self, chats: Sequence[Chat]) -> None:
        """One load on both, not counted: caches are set up and code is paged in."""
        self._run_bare(chats)
        self._run_http(chats)

    def levels(self, concurrencies: Sequence[int], rounds: int, take: Callable[[int], Sequence[Chat]]) -> list[Level]:
        """``rounds`` rounds over all ``concurrencies``; who goes first changes from round to round."""
        found: dict[int, list[Round]] = {concurrency: [] for concurrency in concurrencies}
        rss: dict[int, dict[str, int]] = {}
        for number in range(rounds):
            for concurrency in concurrencies:
                chats = take(concurrency)
                done, rss[concurrency] = self._round(chats, bare_first=number % 2 == 0)
                found[concurrency].append(done)
                self._say(
                    f"round {number + 1}/{rounds}  {concurrency:>2} chats  bare {done.bare:6.1f} tok/s"
                    f"  HTTP {done.http:6.1f} tok/s  ratio {done.ratio:.3f}"
                )
        return [Level(concurrency, found[concurrency], rss[concurrency]) for concurrency in concurrencies]

    def alone(self, samples: int, take: Callable[[int], Sequence[Chat]]) -> Alone:
        """One chat at a time, each way in turn, the order moved by one each sample."""
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(self._alone(samples, take))

    async def _alone(self, samples: int, take: Callable[[int], Sequence[Chat]]) -> Alone:
        ways = ("bare", "direct", "http")
        alone = Alone({way: [] for way in ways}, {way: [] for way in ways})
        backend = ModelServiceBackend(self._served.grpc)
        try:
            for number in range(samples):
                for position in range(len(ways)):
                    way = ways[(number + position) % len(ways)]
                    # Each way its own chat: direct and HTTP end in one engine, whose prefix cache would know it.
                    first, whole = await self._one(way, backend, take(1)[0])
                    alone.first_token[way].append(first * 1000)
                    alone.whole[way].append(whole * 1000)
                latest = "  ".join(f"{way} {alone.first_token[way][-1]:.0f} ms" for way in ways)
                self._say(f"alone {number + 1}/{samples}  first token: {latest}")
        finally:
            await backend.close()
        return alone

    async def _one(self, way: str, backend: ModelServiceBackend, chat: Chat) -> tuple[float, float]:
        if way == "bare":
            told = await asyncio.to_thread(self._bare.answer, self._ask([chat], step_by_step=True))
            return told.first_token, told.seconds
        if way == "direct":
            measured = await direct_load.one(backend, self._model, chat, self._max_tokens)
        else:
            request = http_load.chat_bytes(self._served.http, self._model, chat, self._max_tokens)
            measured = await http_load.one(self._served.http, request)
        return measured.first_token - measured.started, measured.ended - measured.started

    def _round(self, chats: Sequence[Chat], *, bare_first: bool) -> tuple[Round, dict[str, int]]:
        if bare_first:
            bare = self._run_bare(chats)
        measured, cpu, rss = self._run_http(chats)
        if not bare_first:
            bare = self._run_bare(chats)
        bare_rate, bare_tokens, bare_cpu = bare  # pyright: ignore[reportPossiblyUnboundVariable] - one of the two branches ran
        seconds = max(one.ended for one in measured) - min(one.started for one in measured)
        tokens = sum(one.completion_tokens for one in measured)
        done = Round(
            bare=bare_rate,
            http=tokens / seconds,
            bare_tokens=bare_tokens,
            http_tokens=tokens,
            http_cached_tokens=sum(one.cached_tokens for one in measured),
            http_first_token_ms=1000 * statistics.median(one.first_token - one.started for one in measured),
            bare_cpu=1000 * bare_cpu / bare_tokens,
            http_cpu={role: 1000 * spent / tokens for role, spent in cpu.items()},
        )
        return done, rss

    def _run_bare(self, chats: Sequence[Chat]) -> tuple[float, int, float]:
        """Tokens a second, tokens, CPU seconds."""
        before = self._bare.usage().cpu["bare"]
        told = self._bare.answer(self._ask(chats))
        tokens = sum(told.lengths)
        return tokens / told.seconds, tokens, self._bare.usage().cpu["bare"] - before

    def _run_http(self, chats: Sequence[Chat]) -> tuple[list[http_load.Measured], dict[str, float], dict[str, int]]:
        requests = [http_load.chat_bytes(self._served.http, self._model, chat, self._max_tokens) for chat in chats]
        before = self._usage()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            measured = runner.run(http_load.load(self._served.http, requests))
        after = self._usage()
        return measured, {role: after.cpu[role] - before.cpu[role] for role in after.cpu}, self._served.usage().rss

    def _usage(self) -> Usage:
        usage = self._served.usage()
        own = self._client.cpu_times()
        return Usage({**usage.cpu, "load client": own.user + own.system}, usage.rss)

    def _ask(self, chats: Sequence[Chat], *, step_by_step: bool = False) -> Ask:
        return Ask([chat.tokens for chat in chats], self._max_tokens, self._end_ids, step_by_step)
