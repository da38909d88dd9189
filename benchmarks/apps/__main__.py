"""``python -m benchmarks.apps``: users who chat with a knowledge-base application against a mock model."""

from __future__ import annotations

import argparse
import datetime
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import msgspec

from benchmarks.apps import report
from benchmarks.apps.chats import USERS, Chatted, Users
from benchmarks.apps.results import ALONE, FRESH, PACKAGES, PROMISED, Example, Results, Series, verdicts
from benchmarks.apps.served import KEY, NotIndexed, Setup, cpu_by_part, memory, serving
from benchmarks.gateway.load import LoadClient, LoadFailed, Shape
from benchmarks.gateway.native import CannotBuild, Native, build
from benchmarks.gateway.processes import Gateway, Refused, mock_upstream
from benchmarks.machine import Machine
from benchmarks.verdicts import in_columns

RESULTS = Path(__file__).parent.parent / "results"
_MODEL = "mock-40x0"
_WARM_UP = 1000
_EXAMPLE_QUESTIONS = 12
_QUICKEST = "full text, 2 gateways"
_SERIES = {
    ALONE: Setup(),
    PROMISED: Setup(workers=2),
    f"{PROMISED}, no guardrails": Setup(workers=2, guardrails=False),
    FRESH: Setup(workers=2, fresh=True),
    _QUICKEST: Setup(workers=2, method="full_text"),
}


class Extent(NamedTuple):
    """``rates`` are questions a second."""

    rounds: int
    seconds: float
    rates: tuple[int, ...]


_FULL, _SHORT = Extent(3, 6.0, (20, 50)), Extent(1, 1.0, (20,))


class Arguments(argparse.Namespace):
    short: bool
    rounds: int | None
    out: Path


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.apps", description=__doc__)
    parser.add_argument(
        "--short", action="store_true", help="one round of full text alone, without the example; half a minute"
    )
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--out", type=Path, default=RESULTS, help="directory for the results")
    arguments = parser.parse_args(namespace=Arguments())
    extent = _SHORT if arguments.short else _FULL
    if arguments.rounds is not None:
        extent = extent._replace(rounds=arguments.rounds)
    machine = Machine.here(PACKAGES)
    try:
        native = build()
    except CannotBuild as error:
        raise SystemExit(f"bench-apps: {error}") from None
    with tempfile.TemporaryDirectory(prefix="seekway-bench-") as folder:
        try:
            direct, series = _measure(native, extent, Path(folder), short=arguments.short)
            example = None if arguments.short else _example(native, Path(folder))
        except (LoadFailed, NotIndexed, Refused) as error:
            raise SystemExit(f"bench-apps: {error}") from None
    results = Results(
        datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        " ".join(("python -m benchmarks.apps", *sys.argv[1:])),
        machine,
        USERS,
        direct,
        series,
        example,
    )
    print(f"\n{in_columns(verdicts(results))}\n\n{_write(results, arguments.out)}")


def _measure(native: Native, extent: Extent, folder: Path, *, short: bool) -> tuple[float, list[Series]]:
    with mock_upstream(native.mock, 1, (_MODEL, "mock")) as (upstream,):
        shape = Shape(connections=1, requests=200, tokens=40)
        direct = LoadClient(native.load).run(upstream, shape).first_token_us.p50 / 1000
        print(f"direct: first token after {direct:.2f} ms", flush=True)
        found: list[Series] = []
        for name, setup in _SERIES.items():
            if short and name != _QUICKEST:
                continue
            here = msgspec.structs.replace(setup, upstream=upstream, model=_MODEL)
            place = folder / name.replace(", ", "-").replace(" ", "-")
            with serving(here, place) as running:
                users = Users(native.chat, place, KEY, fresh=setup.fresh)
                found.append(_series(name, users, extent, running, direct))
            _say(found[-1])
        return direct, found


def _series(name: str, users: Users, extent: Extent, running: Gateway, direct: float) -> Series:
    series = Series(name, [], [], [], [], {}, {}, [], [], [], [], 0, 0, [])
    # Once through the questions, in every gateway: what is not fresh shall be known.
    known = extent is not _SHORT and name != FRESH
    chats = [users.chat(running.port, messages=_WARM_UP if known else USERS)]
    for _ in range(extent.rounds):
        for rate in extent.rates:
            paced = users.chat(running.port, seconds=extent.seconds, rate=rate)
            series.added_p50.setdefault(str(rate), []).append(paced.first_token_us.p50 / 1000 - direct)
            series.added_p95.setdefault(str(rate), []).append(paced.first_token_us.p95 / 1000 - direct)
            chats.append(paced)
        before = cpu_by_part(running)
        crowd = users.chat(running.port, seconds=extent.seconds)
        spent = {part: (cpu - before[part]) * 1000 / crowd.answered for part, cpu in cpu_by_part(running).items()}
        series.rate.append(crowd.rate)
        series.cpu.append(spent["all"])
        series.gateway_cpu.append(spent["gateway"])
        series.embedding_cpu.append(spent["embedding"])
        chats.append(crowd)
        held = memory(running)
        series.rss.append(held.rss)
        series.pss.append(held.pss)
        series.peak.append(held.peak)
        series.gateway_rss.append(held.gateway)
    return msgspec.structs.replace(
        series,
        answered=sum(one.answered for one in chats),
        cited=sum(one.cited for one in chats),
        failures=[_failure(one) for one in chats if one.failed],
    )


def _example(native: Native, folder: Path) -> Example:
    place = folder / "example"
    with serving(Setup(model=""), place) as running:
        users = Users(native.chat, place, KEY)
        first = users.chat(running.port, users=1, turns=1, messages=1)
        others = users.chat(running.port, users=1, turns=1, messages=_EXAMPLE_QUESTIONS)
    tokens = others.first_token_us
    print(f"example: first token after {tokens.p50 / 1000:.0f} ms", flush=True)
    return Example(first.first_token_us.p50 / 1000, tokens.p50 / 1000, tokens.p95 / 1000, others.answered)


def _failure(chatted: Chatted) -> str:
    return f"{chatted.failed} of {chatted.messages} messages failed; the first: {chatted.first_failure}"


def _say(series: Series) -> None:
    print(f"{series.name}: {series.rate[-1]:.0f} messages/s, {series.cpu[-1]:.2f} ms CPU each", flush=True)


def _write(results: Results, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"apps-{results.date[:10]}"
    page = folder / f"{stem}.md"
    page.write_text(report.markdown(results, f"{stem}.svg"), "utf-8")
    (folder / f"{stem}.json").write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=2) + b"\n")
    (folder / f"{stem}.svg").write_text(report.svg(results), "utf-8")
    return page


if __name__ == "__main__":
    main()
