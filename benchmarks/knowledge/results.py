"""What is measured, and what was promised of it."""

from __future__ import annotations

import statistics

import msgspec

from benchmarks.machine import MIB, Machine
from benchmarks.verdicts import table

P95_MS = 50.0


class Measured(msgspec.Struct, frozen=True):
    """Of one contestant over one corpus; ``ms`` and ``found`` by method, an entry for each question. ``rss`` and ``disk`` are bytes; ``embedding_s`` is for one passage."""

    ingest_s: float
    first_s: float
    rss: int
    disk: int
    ms: dict[str, list[float]]
    found: dict[str, list[list[int]]]
    embedding_s: float | None = None


class Row(msgspec.Struct, frozen=True):
    """``recall`` is the share of the ten truly nearest vectors among the ten that the semantic search found."""

    contestant: str
    passages: int
    ingest_per_s: float
    embedded_per_s: float | None
    first_s: float
    rss_mib: float
    disk_mib: float
    recall: float
    p50_ms: dict[str, float]
    p95_ms: dict[str, float]


class Results(msgspec.Struct, frozen=True):
    date: str
    command: str
    machine: Machine
    questions: int
    rows: list[Row]
    missing: list[str]


def row(contestant: str, passages: int, measured: Measured, nearest: list[set[int]]) -> Row:
    met = [len(set(found) & best) / len(best) for found, best in zip(measured.found["semantic"], nearest, strict=True)]
    cuts = {name: statistics.quantiles(values, n=20, method="inclusive") for name, values in measured.ms.items()}
    return Row(
        contestant,
        passages,
        passages / measured.ingest_s,
        None if measured.embedding_s is None else 1 / (measured.ingest_s / passages + measured.embedding_s),
        measured.first_s,
        measured.rss / MIB,
        measured.disk / MIB,
        statistics.mean(met),
        {name: cut[9] for name, cut in cuts.items()},
        {name: cut[18] for name, cut in cuts.items()},
    )


def markdown(results: Results) -> str:
    machine = results.machine
    versions = ", ".join(f"{name} {number}" for name, number in machine.versions.items())
    missing = f" Not installed and left out: {', '.join(results.missing)}." if results.missing else ""
    methods = list(dict.fromkeys(name for one in results.rows for name in one.p50_ms))
    return "\n".join(
        [
            f"# Knowledge base benchmark, {results.date[:10]}",
            "",
            f"`{results.command}` on {machine.cpu}, {machine.cores} cores, {machine.memory_mib:,} MiB, {machine.system}; "
            f"Python {machine.python}, {versions}. Load average before: {machine.load_before}.{missing}",
            "",
            verdict(results),
            "",
            f"## Milliseconds for a question, median / 95th percentile of {results.questions}",
            "",
            *table(("", "passages", *methods), [_latencies(one, methods) for one in results.rows]),
            "",
            "## Ingest, memory, disk",
            "",
            *table(
                (
                    "",
                    "passages",
                    "passages/s",
                    "with embedding",
                    "first search s",
                    "memory MiB",
                    "disk MiB",
                    "nearest 10 found",
                ),
                [_costs(one) for one in results.rows],
            ),
            "",
        ]
    )


def verdict(results: Results) -> str:
    """The promise is for the greatest corpus, the query's embedding counted."""
    ours = [one for one in results.rows if "hybrid with embedding" in one.p95_ms]
    if not ours:
        return "Seekway was not measured."
    largest = max(ours, key=lambda one: one.passages)
    found = largest.p95_ms["hybrid with embedding"]
    word = "kept" if found <= P95_MS else "missed"
    return f"Hybrid with the query's embedding over {largest.passages:,} passages: 95th percentile {found:.1f} ms, promised {P95_MS:.0f} ms: {word}."


def _latencies(one: Row, methods: list[str]) -> tuple[str, ...]:
    cells = (f"{one.p50_ms[name]:.1f} / {one.p95_ms[name]:.1f}" if name in one.p50_ms else "" for name in methods)
    return (one.contestant, f"{one.passages:,}", *cells)


def _costs(one: Row) -> tuple[str, ...]:
    return (
        one.contestant,
        f"{one.passages:,}",
        f"{one.ingest_per_s:,.0f}",
        "" if one.embedded_per_s is None else f"{one.embedded_per_s:,.1f}",
        f"{one.first_s:.2f}",
        f"{one.rss_mib:,.0f}",
        f"{one.disk_mib:,.0f}",
        f"{100 * one.recall:.1f}%",
    )
