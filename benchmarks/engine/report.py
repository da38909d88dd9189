"""Results as a page: tables in Markdown and one plot in SVG."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from benchmarks.engine.measure import Level
from benchmarks.engine.results import Results, verdicts
from benchmarks.machine import MIB
from benchmarks.verdicts import in_columns, spread, table

_ROLES = ("supervisor", "gateway", "model service", "worker", "load client")


def markdown(results: Results, plot: str) -> str:
    machine = results.machine
    versions = ", ".join(f"{name} {number}" for name, number in machine.versions.items())
    lines = [
        f"# Engine benchmark, {results.date[:10]}",
        "",
        f"`{results.command}` on {machine.cpu}, {machine.cores} cores, {machine.memory_mib:,} MiB, {machine.system}; "
        f"Python {machine.python}, {versions}. Load average before: {machine.load_before}. Ended {results.date}.",
        f"Model {results.model} ({results.weights.quantization}), {results.prompt_tokens} tokens in, {results.answer_tokens} out, greedy. "
        "Medians over the rounds, least and greatest in brackets; `benchmarks/README.md` says how it is measured.",
        "",
        "## Against what was promised",
        "",
        *table(
            ("figure", "target", "found", "verdict"),
            [(v.figure, v.target, v.found, v.word) for v in verdicts(results)],
        ),
        "",
        "## Tokens a second",
        "",
        *table(
            (
                "chats at once",
                "bare engine",
                "HTTP",
                "HTTP / bare",
                "first token over HTTP, ms",
                "answer tokens, bare and HTTP",
                "reused tokens",
            ),
            [_rates(level) for level in results.levels],
        ),
        "",
        f"![Tokens a second, bare engine and HTTP]({plot})",
        "",
        "## CPU seconds for 1,000 tokens",
        "",
        *table(("chats at once", "bare engine", *_ROLES), [_cpu(level) for level in results.levels]),
        "",
        "## One chat alone, milliseconds",
        "",
        *table(("way", "first token", "over bare", "whole answer", "over bare"), _alone(results)),
        "",
        "## Memory under load, MiB resident",
        "",
        *table(("chats at once", *_ROLES[:-1], "total"), [_memory(level) for level in results.levels]),
        "",
        "Pages that processes share, such as Python's own libraries, are counted in each.",
        "",
        "## Start and weights",
        "",
        f"- Ready after {spread(results.starts_s, 2)} s, over {len(results.starts_s)} starts.",
        f"- Weights in MiB: FP32 {results.weights.fp32 / MIB:.0f}, INT8 (Q8_0) {results.weights.int8 / MIB:.0f}, "
        f"the file served ({results.weights.quantization}) {results.weights.as_served / MIB:.0f}, as the engine holds it {results.weights.engine / MIB:.0f}.",
    ]
    return "\n".join(lines) + "\n"


def terminal(results: Results) -> str:
    return in_columns(verdicts(results))


def svg(levels: Sequence[Level]) -> str:
    """A pair of bars for each concurrency: the bare engine's median and HTTP's."""
    width, height, left, bottom, bar = 640, 320, 50, 40, 34
    pairs = [(statistics.median(r.bare for r in level.rounds), statistics.median(r.http for r in level.rounds)) for level in levels]  # fmt: skip
    top = max(max(pair) for pair in pairs) * 1.15
    step = (width - left - 10) / len(levels)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        f'<text x="{left}" y="16">tokens a second: <tspan fill="#8a8f98">■ bare engine</tspan> <tspan fill="#2f6fde">■ HTTP</tspan></text>',
    ]
    for position, (level, pair) in enumerate(zip(levels, pairs, strict=True)):
        x = left + position * step + (step - 2 * bar) / 2
        for offset, value, colour in ((0, pair[0], "#8a8f98"), (bar, pair[1], "#2f6fde")):
            tall = value / top * (height - bottom - 24)
            y = height - bottom - tall
            parts.append(
                f'<rect x="{x + offset:.1f}" y="{y:.1f}" width="{bar - 2}" height="{tall:.1f}" fill="{colour}"/>'
            )
            parts.append(
                f'<text x="{x + offset + bar / 2 - 1:.1f}" y="{y - 4:.1f}" text-anchor="middle">{value:.0f}</text>'
            )
        parts.append(
            f'<text x="{x + bar:.1f}" y="{height - bottom + 16}" text-anchor="middle">{level.concurrency}</text>'
        )
    parts.append(f'<text x="{width / 2}" y="{height - 6}" text-anchor="middle">chats at once</text></svg>')
    return "\n".join(parts) + "\n"


def _rates(level: Level) -> tuple[str, ...]:
    rounds = level.rounds
    return (
        str(level.concurrency),
        spread([r.bare for r in rounds]),
        spread([r.http for r in rounds]),
        spread([r.ratio for r in rounds], 3),
        spread([r.http_first_token_ms for r in rounds], 0),
        f"{statistics.median(r.bare_tokens for r in rounds):.0f}, {statistics.median(r.http_tokens for r in rounds):.0f}",
        str(max(r.http_cached_tokens for r in rounds)),
    )


def _cpu(level: Level) -> tuple[str, ...]:
    rounds = level.rounds
    parts = [statistics.median(r.http_cpu[role] for r in rounds) for role in _ROLES]
    return (
        str(level.concurrency),
        f"{statistics.median(r.bare_cpu for r in rounds):.2f}",
        *(f"{part:.3f}" for part in parts),
    )


def _memory(level: Level) -> tuple[str, ...]:
    parts = [level.rss[role] / MIB for role in _ROLES[:-1]]
    return (str(level.concurrency), *(f"{part:.0f}" for part in parts), f"{sum(parts):.0f}")


def _alone(results: Results) -> list[tuple[str, ...]]:
    first, whole = results.alone.first_token, results.alone.whole

    def over(times: dict[str, list[float]], way: str) -> str:
        return "" if way == "bare" else f"{statistics.median(times[way]) - statistics.median(times['bare']):+.1f}"

    names = {"bare": "bare engine", "direct": "direct (gRPC)", "http": "proxy (HTTP)"}
    return [
        (name, spread(first[way]), over(first, way), spread(whole[way]), over(whole, way))
        for way, name in names.items()
    ]
