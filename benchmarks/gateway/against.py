"""Seekway with everything on against nginx, LiteLLM and no gateway at all: requests, chunks, latency, first token."""

from __future__ import annotations

import contextlib
import statistics
from collections.abc import Callable, Generator, Sequence

import msgspec

from benchmarks.gateway import contestants
from benchmarks.gateway.bench import Bench, Measured
from benchmarks.gateway.contestants import DIRECT, LITELLM, NGINX, SEEKWAY
from benchmarks.gateway.load import Shape
from benchmarks.gateway.processes import Gateway, Refused
from benchmarks.gateway.sections import Column, Section

CHUNKS = Shape(connections=200, tokens=200, interval_us=5_000)
_FEW_CHUNKS = Shape(connections=20, tokens=100, interval_us=20_000)
_QUIET_CHUNKS = Shape(connections=100, tokens=100, interval_us=20_000)
_FIRST = Shape(connections=20, tokens=20, interval_us=5_000, burst=True)
MODELS = tuple(dict.fromkeys(("mock", *(shape.model_name for shape in (CHUNKS, _FEW_CHUNKS, _QUIET_CHUNKS, _FIRST)))))
NAMES = ("requests", "chunks", "latency", "first-token")
_FAILED = "too many failed; not counted"


class Against:
    """The contestants, all running from the first to the last round; each sleeps while another has its turn."""

    def __init__(self, bench: Bench, gateways: Sequence[Gateway], missing: Sequence[str]) -> None:
        self._bench = bench
        self._gateways = gateways
        self._missing = missing

    def measure(self, names: Sequence[str]) -> list[Section]:
        """The sub-benchmarks in ``names``, round by round; who goes first changes with the round."""
        for gateway in self._gateways:
            slow = gateway.name == LITELLM
            self._bench.run(gateway, Shape(connections=8, requests=40 if slow else 3000), None)
            self._bench.run(gateway, msgspec.structs.replace(_FIRST, requests=20), None)
        steps = {"requests": _requests, "chunks": _chunks, "latency": _latency, "first-token": _first_token}
        sections = {name: _section(name, self._missing) for name in NAMES if name in names}
        for number in range(self._bench.extent.rounds):
            for name, section in sections.items():
                for position in range(len(self._gateways)):
                    gateway = self._gateways[(position + number) % len(self._gateways)]
                    said = steps[name](self._bench, gateway, section)
                    self._bench.say(
                        f"round {number + 1}/{self._bench.extent.rounds}  {name:<12} {gateway.name:<8} {said}"
                    )
        for name, section in sections.items():
            if name in ("latency", "first-token"):
                _add_over_direct(section)
            section.rows.sort(key=lambda row: (DIRECT, NGINX, LITELLM, SEEKWAY).index(row.name))
            self._check_loopback(section)
        return list(sections.values())

    def _check_loopback(self, section: Section) -> None:
        for gateway in self._gateways:
            if gateway.tree and (outside := gateway.tree.remote_addresses()):
                section.note(f"{gateway.name} is connected to {', '.join(outside)}, outside this machine.")


@contextlib.contextmanager
def running(bench: Bench) -> Generator[Against]:
    """Starts what is there; the others are named in each section with the reason."""
    with contextlib.ExitStack() as stack:
        (upstream,) = stack.enter_context(bench.upstream(MODELS))
        gateways, missing = [Gateway(DIRECT, upstream)], list[str]()
        starting: dict[str, Callable[[], contextlib.AbstractContextManager[Gateway]]] = {
            NGINX: lambda: contestants.nginx(upstream, bench.folder),
            LITELLM: lambda: contestants.litellm(upstream, MODELS, bench.folder),
            SEEKWAY: lambda: contestants.seekway("seekway", bench.everything([upstream]), bench.folder),
        }
        for name, start in starting.items():
            reason = contestants.absent(name, bench.without)
            if reason is None:
                bench.say(f"starting {name}")
                try:
                    gateway = stack.enter_context(bench.on_gateway_core(start()))
                except Refused as error:
                    reason = f"it did not start: {error}"
                else:
                    gateway.name = name
                    gateways.append(gateway)
            if reason is not None:
                bench.say(f"{name} is left out: {reason}")
                missing.append(f"{name} is left out: {reason}.")
        yield Against(bench, gateways, missing)


def _section(name: str, missing: Sequence[str]) -> Section:
    title, how, columns = {
        "requests": (
            "Requests, one core saturated",
            "1 KB in, 0.8 KB out, 32 connections that stay open (8 for LiteLLM). CPU is user and system time of the gateway's processes.",
            [
                Column("us", "CPU µs a request"),
                Column("rps", "requests/s", 0),
                Column("busy", "% of its core", 0),
                Column("p50", "p50 ms", 2),
                Column("p99", "p99 ms", 2),
                Column("rss", "RSS MB", 0),
            ],
        ),
        "chunks": (
            "Streamed chunks",
            "200 streams at once, a chunk every 5 ms in each, 40,000 chunks/s in all; the stream's request is counted in. "
            "A gateway with little to do wakes for every chunk and spends more on each: at 5,000 chunks/s that shows. "
            "LiteLLM: 20 streams, a chunk every 20 ms.",
            [
                Column("us", "CPU µs a chunk"),
                Column("us_quiet", "the same at 5,000 chunks/s"),
                Column("rate", "chunks/s", 0),
                Column("busy", "% of its core", 0),
                Column("joined", "events of 1,000 chunks", 0),
            ],
        ),
        "latency": (
            "Latency at 200 requests/s",
            "Sent at their times whatever happens (LiteLLM: 25 a second), a latency counted from that time; added is over direct in the same round.",
            [
                Column("p50", "p50 ms", 2),
                Column("p99", "p99 ms", 2),
                Column("added_p50", "added p50 ms", 2),
                Column("added_p99", "added p99 ms", 2),
            ],
        ),
        "first-token": (
            "First token with 20 streams",
            "20 streams begun at the same moment, again and again; added is over direct in the same round.",
            [
                Column("p50", "p50 ms", 2),
                Column("p99", "p99 ms", 2),
                Column("added_p50", "added p50 ms", 2),
                Column("added_p99", "added p99 ms", 2),
            ],
        ),
    }[name]
    section = Section(name, title, how, columns)
    for sentence in missing:
        section.note(sentence)
    return section


def _requests(bench: Bench, gateway: Gateway, section: Section) -> str:
    slow = gateway.name == LITELLM
    measured = bench.run(gateway, Shape(connections=8 if slow else 32, seconds=bench.extent.seconds), section)
    if not measured.counts:
        return _FAILED
    section.row(gateway.name).add(
        us=measured.us_per_request,
        rps=measured.rate,
        busy=measured.busy,
        p50=measured.loaded.latency_us.p50 / 1000,
        p99=measured.loaded.latency_us.p99 / 1000,
        rss=gateway.tree.rss() / 1e6 if gateway.tree else None,
    )
    return f"{measured.rate:8.0f} requests/s  {_us(measured.us_per_request)} a request"


def _chunks(bench: Bench, gateway: Gateway, section: Section) -> str:
    shape = _FEW_CHUNKS if gateway.name == LITELLM else CHUNKS
    measured = bench.run(gateway, _for_seconds(shape, bench.extent.seconds), section)
    if not measured.counts:
        return _FAILED
    loaded = measured.loaded
    row = section.row(gateway.name)
    row.add(
        us=measured.us_per_token,
        rate=loaded.tokens / loaded.seconds if loaded.seconds else None,
        busy=measured.busy,
        # A role chunk comes before the first token and one with the usage after the last.
        joined=1000 * loaded.events / (loaded.tokens + 2 * loaded.answered) if loaded.tokens else None,
    )
    offered = shape.connections / shape.interval_us * 1e6
    if loaded.tokens / loaded.seconds < 0.9 * offered:
        section.note(
            f"{gateway.name} could not carry {offered:,.0f} chunks/s: it read several at once, which makes each look cheaper than it is alone."
        )
    if gateway.name not in (DIRECT, LITELLM):
        row.add(us_quiet=bench.run(gateway, _for_seconds(_QUIET_CHUNKS, 2), section).us_per_token)
    return f"{loaded.tokens / loaded.seconds:8.0f} chunks/s    {_us(measured.us_per_token)} a chunk"


def _for_seconds(shape: Shape, seconds: float) -> Shape:
    """As many streams as take about ``seconds``."""
    rounds = max(1, round(seconds / (shape.tokens * shape.interval_us / 1e6)))
    return msgspec.structs.replace(shape, requests=rounds * shape.connections)


def _latency(bench: Bench, gateway: Gateway, section: Section) -> str:
    rate = 25 if gateway.name == LITELLM else 200
    measured = bench.run(gateway, Shape(connections=64, rate=rate, seconds=bench.extent.seconds * 5 / 3), section)
    if not measured.counts:
        return _FAILED
    found = measured.loaded.latency_us
    section.row(gateway.name).add(p50=found.p50 / 1000, p99=found.p99 / 1000)
    return f"p50 {found.p50 / 1000:.2f} ms  p99 {found.p99 / 1000:.2f} ms"


def _first_token(bench: Bench, gateway: Gateway, section: Section) -> str:
    bursts = 2 if gateway.name == LITELLM else max(1, round(bench.extent.seconds * 7))
    measured = bench.run(gateway, msgspec.structs.replace(_FIRST, requests=bursts * _FIRST.connections), section)
    if not measured.counts:
        return _FAILED
    found = measured.loaded.first_token_us
    section.row(gateway.name).add(p50=found.p50 / 1000, p99=found.p99 / 1000)
    return f"p50 {found.p50 / 1000:.2f} ms  p99 {found.p99 / 1000:.2f} ms"


def _add_over_direct(section: Section) -> None:
    """What each gateway adds to ``direct``, round by round; over its median where a gateway failed in a round."""
    direct = section.row(DIRECT)
    for row in section.rows:
        for key in ("p50", "p99"):
            if row.name == DIRECT or key not in row.values:
                continue
            base = direct.values[key]
            if len(base) != len(row.values[key]):
                base = [statistics.median(base)] * len(row.values[key])
            row.values[f"added_{key}"] = [
                with_it - without for with_it, without in zip(row.values[key], base, strict=True)
            ]


def _us(value: float | None) -> str:
    return "" if value is None else f"{value:8.1f} µs"


def rates(measured: Measured) -> str:
    return f"{measured.rate:8.0f} requests/s  {_us(measured.us_per_request)} a request"
