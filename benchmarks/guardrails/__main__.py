"""``python -m benchmarks.guardrails``: what the review of texts costs and finds, beside others, and how the promises stand."""

from __future__ import annotations

import argparse
import datetime
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import msgspec

from benchmarks.guardrails import report
from benchmarks.guardrails.contestants import Contestant, Running, contestants, running
from benchmarks.guardrails.quality import quality_of, shipped_terms
from benchmarks.guardrails.results import PACKAGES, Cost, Results, verdicts
from benchmarks.guardrails.texts import kilobytes, made_up_words
from benchmarks.machine import Machine
from benchmarks.verdicts import in_columns

RESULTS = Path(__file__).parent.parent / "results"
WORDS = 50_000


class Arguments(argparse.Namespace):
    short: bool
    rounds: int
    out: Path


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.guardrails", description=__doc__)
    parser.add_argument("--short", action="store_true", help="one round and small samples")
    parser.add_argument("--rounds", type=int, default=5, help="rounds over all contestants")
    parser.add_argument("--out", type=Path, default=RESULTS, help="directory for the results")
    arguments = parser.parse_args(namespace=Arguments())
    begun = time.monotonic()

    def say(line: str) -> None:
        print(f"[{time.monotonic() - begun:4.0f} s] {line}", flush=True)

    machine = Machine.here(PACKAGES)
    here, missing = contestants()
    terms = shipped_terms()
    words = [*(term.text for term in terms), *made_up_words(WORDS - len(terms))]
    high = [term.text for term in terms if term.severity == "high"]
    hits = high[:: len(high) // 3]
    rounds = 1 if arguments.short else arguments.rounds
    costs, versions = _costs(here, words, kilobytes([*hits, "13812345678 anna@mail.example.com"]), rounds, say)
    sample = 20 if arguments.short else 150
    quality = [found for one in here if (found := quality_of(one, terms, sample, say)) is not None]
    results = Results(
        date=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        command=" ".join(("python -m benchmarks.guardrails", *sys.argv[1:])),
        machine=msgspec.structs.replace(machine, versions=machine.versions | versions),
        words=len(words),
        costs=costs,
        quality=quality,
        missing=missing,
    )
    print(f"\n{in_columns(verdicts(results))}\n\n{_write(results, arguments.out)}")


def _costs(
    here: Sequence[Contestant], words: Sequence[str], texts: dict[str, str], rounds: int, say: Callable[[str], None]
) -> tuple[list[Cost], dict[str, str]]:
    """All live at once and take turns; who is first changes with the round. Each is started ``rounds`` times for its loading."""
    loads: dict[str, list[tuple[float, float]]] = {one.name: [] for one in here}
    us: dict[str, dict[str, list[float]]] = {one.name: {name: [] for name in texts} for one in here}
    versions: dict[str, str] = {}
    for number in range(rounds):
        with ExitStack() as stack:
            turns: list[Running] = []
            for one in (*here[number % len(here) :], *here[: number % len(here)]):
                process = stack.enter_context(running(one))
                loaded = process.load(words)
                loads[one.name].append((loaded.s, loaded.mib))
                if not one.ours:
                    versions[one.name] = loaded.version
                turns.append(process)
            for process in turns:
                found = process.cpu_us(list(texts.values()), 0.2)
                for name, value in zip(texts, found, strict=True):
                    us[process.contestant.name][name].append(value)
        say(f"round {number + 1} of {rounds}: " + ", ".join(f"{n} {statistics.median([r[-1] for r in v.values()]):.1f} µs" for n, v in us.items()))  # fmt: skip
    costs = [
        Cost(one.name, one.ours, us[one.name], [s for s, _ in loads[one.name]], [mib for _, mib in loads[one.name]])
        for one in here
    ]
    return costs, versions


def _write(results: Results, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"guardrails-{results.date[:10]}"
    page = folder / f"{stem}.md"
    page.write_text(report.markdown(results, f"{stem}.svg"), "utf-8")
    (folder / f"{stem}.json").write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=2) + b"\n")
    (folder / f"{stem}.svg").write_text(report.svg(results.costs), "utf-8")
    return page


if __name__ == "__main__":
    main()
