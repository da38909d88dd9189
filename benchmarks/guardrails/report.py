"""Results as a page: tables in Markdown and one plot in SVG."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from benchmarks.guardrails.results import Caught, Cost, Quality, Results, verdicts
from benchmarks.verdicts import spread, table


def markdown(results: Results, plot: str) -> str:
    machine = results.machine
    versions = ", ".join(f"{name} {number}" for name, number in machine.versions.items())
    missing = f" Not installed and left out: {', '.join(results.missing)}." if results.missing else ""
    lines = [
        f"# Guardrails benchmark, {results.date[:10]}",
        "",
        f"`{results.command}` on {machine.cpu}, {machine.cores} cores, {machine.memory_mib:,} MiB, {machine.system}; "
        f"Python {machine.python}, {versions}. Load average before: {machine.load_before}. Ended {results.date}.{missing}",
        f"{results.words:,} words. CPU time of one core; medians over the rounds, least and greatest in brackets; `benchmarks/README.md` says how it is measured.",
        "",
        "## Against what was promised",
        "",
        *table(
            ("figure", "target", "found", "verdict"),
            [(v.figure, v.target, v.found, v.word) for v in verdicts(results)],
        ),
        "",
        f"![CPU for a kilobyte]({plot})",
        "",
        "## CPU µs for a kilobyte, or a chunk where the name says so",
        "",
        *_costs(results.costs),
        "",
        "## Loading",
        "",
        *table(
            ("", "CPU s", "MiB"),
            [(cost.name, spread(cost.load_s, 2), spread(cost.load_mib, 0)) for cost in results.costs],
        ),
        "",
    ]
    for quality in results.quality:
        lines += _quality(quality)
    return "\n".join(lines).rstrip("\n") + "\n"


def svg(costs: Sequence[Cost]) -> str:
    """Lying bars on a logarithmic scale: the dearest kilobyte of each."""
    width, left, right, bar, top = 700, 210, 80, 24, 34
    drawn = sorted(((cost.name, cost.ours, cost.worst_us()) for cost in costs), key=lambda one: one[2])
    low = 10 ** math.floor(math.log10(min(value for *_, value in drawn)))
    high = 10 ** math.ceil(math.log10(max(value for *_, value in drawn)))
    height = top + bar * len(drawn) + 26

    def x_of(value: float) -> float:
        return left + math.log10(value / low) / math.log10(high / low) * (width - left - right)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        f'<text x="{left}" y="18">CPU µs for the dearest kilobyte (or chunk), logarithmic; less is better</text>',
    ]
    for power in range(round(math.log10(low)), round(math.log10(high)) + 1):
        x = x_of(10.0**power)
        parts.append(f'<line x1="{x:.1f}" y1="{top - 6}" x2="{x:.1f}" y2="{height - 22}" stroke="#e3e5e8"/>')
        parts.append(f'<text x="{x:.1f}" y="{height - 8}" text-anchor="middle" fill="#666">{10.0**power:,g}</text>')
    for place, (name, ours, value) in enumerate(drawn):
        y, colour = top + bar * place, "#2f6fde" if ours else "#8a8f98"
        parts.append(f'<text x="{left - 8}" y="{y + 15}" text-anchor="end">{name}</text>')
        parts.append(
            f'<rect x="{left}" y="{y + 2}" width="{max(x_of(value) - left, 1):.1f}" height="{bar - 5}" fill="{colour}"/>'
        )
        parts.append(f'<text x="{x_of(value) + 5:.1f}" y="{y + 15}">{value:,.1f}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _costs(costs: Sequence[Cost]) -> list[str]:
    names = list(dict.fromkeys(name for cost in costs for name in cost.us))
    rows = [(cost.name, *(spread(cost.us[name]) if name in cost.us else "" for name in names)) for cost in costs]
    return table(("", *names), rows)


def _quality(quality: Quality) -> list[str]:
    """A row for each kind, a column for each language."""
    lines = [f"## What {quality.name} finds", ""]
    languages = list(dict.fromkeys(one.language for one in (*quality.recall, *quality.alarms)))
    rows = [_row(kind, quality.recall, languages) for kind in dict.fromkeys(one.kind for one in quality.recall)]
    rows.append(_mean(quality.recall, languages))
    rows += [
        _row(kind, quality.alarms, languages, "harmless: ")
        for kind in dict.fromkeys(one.kind for one in quality.alarms)
    ]
    return [*lines, *table(("texts", *languages), rows), ""]


def _row(kind: str, caught: Sequence[Caught], languages: Sequence[str], before: str = "") -> tuple[str, ...]:
    rates = {one.language: str(one.rate) for one in caught if one.kind == kind}
    return (before + kind, *(rates.get(language, "") for language in languages))


def _mean(caught: Sequence[Caught], languages: Sequence[str]) -> tuple[str, ...]:
    """Each kind counts the same, however many texts it has."""
    shares = {
        language: [one.rate.share for one in caught if one.language == language and one.rate.share is not None]
        for language in languages
    }
    return (
        "**mean over the kinds**",
        *(f"{100 * statistics.mean(found):.1f}%" if found else "" for found in shares.values()),
    )
