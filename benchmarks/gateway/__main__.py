"""``python -m benchmarks.gateway``: what Seekway's gateway costs, against nginx, LiteLLM and no gateway, and how the promises stand."""

from __future__ import annotations

import argparse
import datetime
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from benchmarks.gateway import against, alone, contestants, report
from benchmarks.gateway.bench import FULL, SHORT, Bench
from benchmarks.gateway.features import read_plan
from benchmarks.gateway.native import CannotBuild, build
from benchmarks.gateway.results import PACKAGES, Results, verdicts
from benchmarks.gateway.sections import Section
from benchmarks.machine import Machine
from benchmarks.verdicts import in_columns

RESULTS = Path(__file__).parent.parent / "results"
_ALONE = {
    "memory": alone.memory,
    "workers": alone.workers,
    "backends": alone.backends,
    "keys": alone.keys,
    "features": alone.features,
}


class Arguments(argparse.Namespace):
    names: list[str]
    short: bool
    rounds: int | None
    without: list[str]
    omit: list[str]
    out: Path


def main() -> None:
    arguments = _arguments()
    names = arguments.names or [*against.NAMES, *(() if arguments.short else alone.NAMES)]
    extent = SHORT if arguments.short else FULL
    if arguments.rounds:
        extent = msgspec.structs.replace(extent, rounds=arguments.rounds)
    command = " ".join(("python -m benchmarks.gateway", *sys.argv[1:]))
    begun = time.monotonic()

    def say(line: str) -> None:
        print(f"[{time.monotonic() - begun:4.0f} s] {line}", flush=True)

    machine = Machine.here(PACKAGES)
    try:
        native = build()
    except CannotBuild as error:
        raise SystemExit(f"bench-gateway: {error}") from None
    with tempfile.TemporaryDirectory(prefix="seekway-bench-") as folder:
        bench = Bench(native, extent, Path(folder), read_plan(omit=arguments.omit), arguments.without, say)
        sections = _measure(bench, names)
    results = Results(
        date=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        command=command,
        machine=_with_peers(machine, arguments.without),
        on=[feature.name for feature in bench.plan.feature if feature.refused is None and feature.everywhere],
        sections=sections,
    )
    written = _write(results, arguments.out)
    print(f"\n{in_columns(verdicts(results))}\n\n{written}")


def _arguments() -> Arguments:
    known = (*against.NAMES, *alone.NAMES)
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gateway", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"what to measure, all by default: {', '.join(known)}")
    parser.add_argument("--short", action="store_true", help="one round; by default only the first four; a minute")
    parser.add_argument("--rounds", type=int, help="rounds over all contestants")
    parser.add_argument(
        "--without", action="append", default=[], choices=("nginx", "litellm"), help="leave one out; may be repeated"
    )
    parser.add_argument(
        "--omit", action="append", default=[], metavar="WORD", help="leave features of that name out of everything"
    )
    parser.add_argument("--out", type=Path, default=RESULTS, help="directory for the results")
    arguments = parser.parse_args(namespace=Arguments())
    if unknown := [name for name in arguments.names if name not in known]:
        parser.error(f"there is no {unknown[0]}; choose from {', '.join(known)}")
    return arguments


def _measure(bench: Bench, names: Sequence[str]) -> list[Section]:
    sections: list[Section] = []
    if any(name in against.NAMES for name in names):
        with against.running(bench) as contest:
            sections += contest.measure(names)
    for name in alone.NAMES:
        if name in names:
            sections.append(_ALONE[name](bench))
    return sections


def _with_peers(machine: Machine, without: Sequence[str]) -> Machine:
    peers: dict[str, str] = {}
    if contestants.absent(contestants.NGINX, without) is None:
        peers["nginx"] = contestants.nginx_version()
    if contestants.absent(contestants.LITELLM, without) is None:
        peers["litellm"] = contestants.litellm_version()
    return msgspec.structs.replace(machine, versions=machine.versions | peers)


def _write(results: Results, folder: Path) -> Path:
    """The three files of one run; a run of a part has the parts in its name and so leaves a whole one's files alone."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = [] if len(results.sections) == len(against.NAMES) + len(alone.NAMES) else [s.name for s in results.sections]
    stem = "-".join(("gateway", results.date[:10], *parts))
    page = folder / f"{stem}.md"
    page.write_text(report.markdown(results, f"{stem}.svg"), "utf-8")
    (folder / f"{stem}.json").write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=2) + b"\n")
    if drawn := report.bars(results):
        (folder / f"{stem}.svg").write_text(report.svg(drawn), "utf-8")
    return page


if __name__ == "__main__":
    main()
