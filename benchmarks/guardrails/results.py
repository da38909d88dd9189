"""What a run found, and how it stands to what was promised."""

from __future__ import annotations

import statistics
from collections.abc import Iterable

import msgspec

from benchmarks.guardrails.ours import CHUNK, CLASSIFIER, EVERYTHING
from benchmarks.machine import Machine
from benchmarks.verdicts import Verdict, at_most
from seekway.pipeline.guardrails.evaluation import Rate

PACKAGES = ("seekway", "msgspec")
MOST_FALSE_ALARMS = 0.5
"""Of a hundred harmless texts, in the language that has more."""


class Cost(msgspec.Struct, frozen=True):
    """CPU µs of each round, by text; ``load_s`` and ``load_mib`` of each start."""

    name: str
    ours: bool
    us: dict[str, list[float]]
    load_s: list[float]
    load_mib: list[float]

    def worst_us(self) -> float:
        """The median of the text that costs the most."""
        return max(statistics.median(rounds) for rounds in self.us.values())


class Caught(msgspec.Struct, frozen=True):
    """Of one kind of texts, those in which something was found."""

    kind: str
    language: str
    rate: Rate


class Quality(msgspec.Struct, frozen=True):
    name: str
    recall: list[Caught]
    alarms: list[Caught]


class Results(msgspec.Struct, frozen=True):
    date: str
    command: str
    machine: Machine
    words: int
    costs: list[Cost]
    quality: list[Quality]
    missing: list[str]

    def cost(self, name: str) -> Cost | None:
        return next((one for one in self.costs if one.name == f"Seekway: {name}"), None)


def verdicts(results: Results) -> list[Verdict]:
    """The issue's figures, in its order; the classifier's recall is in its model card."""
    return [*_costs(results), *_alarms(results)]


def _costs(results: Results) -> Iterable[Verdict]:
    if (everything := results.cost(EVERYTHING)) is not None:
        yield at_most(
            f"1 KB, all but the classifier, {results.words:,} words", everything.worst_us() / 1000, 0.3, "ms", 3
        )
    if (chunk := results.cost(CHUNK)) is not None:
        yield at_most("a streamed chunk", chunk.worst_us(), 10, "µs")
    if (classifier := results.cost(CLASSIFIER)) is not None:
        yield at_most("1 KB, the classifier", classifier.worst_us() / 1000, 5, "ms", 2)
    if (words := results.cost("words")) is not None:
        yield at_most(f"loading {results.words:,} words, CPU", statistics.median(words.load_s), 0.5, "s", 2)
        yield Verdict("memory of the words", "", f"{statistics.median(words.load_mib):.0f} MiB", met=True, gap="")


def _alarms(results: Results) -> Iterable[Verdict]:
    for quality in results.quality:
        shares = [caught.rate.share for caught in quality.alarms if caught.rate.share is not None]
        if quality.name == "Seekway: words" and shares:
            yield at_most("false alarms of the words, the worse language", 100 * max(shares), MOST_FALSE_ALARMS, "%", 2)
