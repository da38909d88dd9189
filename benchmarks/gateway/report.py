"""Results as a page: tables in Markdown and one plot in SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence

from benchmarks.gateway.contestants import LITELLM, NGINX, SEEKWAY
from benchmarks.gateway.results import Results, verdicts
from benchmarks.gateway.sections import Column, Row, Section
from benchmarks.verdicts import spread, table

_COLOURS = {NGINX: "#8a8f98", LITELLM: "#d98a2b", SEEKWAY: "#2f6fde"}


def markdown(results: Results, plot: str) -> str:
    machine = results.machine
    versions = ", ".join(f"{name} {number}" for name, number in machine.versions.items())
    lines = [
        f"# Gateway benchmark, {results.date[:10]}",
        "",
        f"`{results.command}` on {machine.cpu}, {machine.cores} cores, {machine.memory_mib:,} MiB, {machine.system}; "
        f"Python {machine.python}, {versions}. Load average before: {machine.load_before}. Ended {results.date}.",
        f"Seekway with everything on: {', '.join(results.on)}; routing, breaker, usage and metrics are always on. "
        "Medians over the rounds, least and greatest in brackets; `benchmarks/README.md` says how it is measured.",
        "",
        "## Against what was promised",
        "",
        *table(
            ("figure", "target", "found", "verdict"),
            [(v.figure, v.target, v.found, v.word) for v in verdicts(results)],
        ),
        "",
    ]
    if bars(results):
        lines += [f"![CPU a request and a chunk]({plot})", ""]
    for section in results.sections:
        lines += _section(section)
    return "\n".join(lines).rstrip("\n") + "\n"


def _section(section: Section) -> list[str]:
    lines = [f"## {section.title}", ""]
    if section.skipped is not None:
        return [*lines, f"Skipped: {section.skipped}.", ""]
    columns = [column for column in section.columns if any(column.key in row.values for row in section.rows)]
    lines += [section.how, ""]
    lines += table(
        ("", *(column.head for column in columns)),
        [(row.name, *(_cell(row, column) for column in columns)) for row in section.rows],
    )
    if section.notes:
        lines += ["", *(f"- {sentence}" for sentence in section.notes)]
    return [*lines, ""]


def _cell(row: Row, column: Column) -> str:
    values = row.values.get(column.key)
    if not values:
        return ""
    return spread(values, column.digits) if len(values) > 1 else f"{values[0]:.{column.digits}f}"


def bars(results: Results) -> list[tuple[str, str, float]]:
    """What is drawn: the group, the gateway, its CPU time in µs."""
    found: list[tuple[str, str, float]] = []
    for section, group in (("requests", "a request"), ("chunks", "a streamed chunk")):
        for name in (NGINX, SEEKWAY, LITELLM):
            value = results.find(section, name, "us")
            if value:
                found.append((group, name, value))
    return found


def svg(drawn: Sequence[tuple[str, str, float]]) -> str:
    """Lying bars on a logarithmic scale: CPU time a request and a chunk, a bar a gateway."""
    width, left, right, bar, top = 680, 150, 70, 24, 34
    low, high = 1.0, 10 ** math.ceil(math.log10(max(value for _, _, value in drawn)))
    groups = list(dict.fromkeys(group for group, _, _ in drawn))
    height = top + bar * len(drawn) + 26 * len(groups) + 24

    def x_of(value: float) -> float:
        share = (math.log10(max(value, low)) - math.log10(low)) / (math.log10(high) - math.log10(low))
        return left + share * (width - left - right)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        f'<text x="{left}" y="18">CPU of the gateway in µs, logarithmic; less is better</text>',
    ]
    for power in range(round(math.log10(low)), round(math.log10(high)) + 1):
        x = x_of(10.0**power)
        parts.append(f'<line x1="{x:.1f}" y1="{top - 6}" x2="{x:.1f}" y2="{height - 22}" stroke="#e3e5e8"/>')
        parts.append(f'<text x="{x:.1f}" y="{height - 8}" text-anchor="middle" fill="#666">{10**power:,}</text>')
    y = top
    for group in groups:
        parts.append(f'<text x="10" y="{y + 14}" font-weight="bold">{group}</text>')
        y += 20
        for _, name, value in (one for one in drawn if one[0] == group):
            end = x_of(value)
            parts.append(f'<text x="{left - 8}" y="{y + 15}" text-anchor="end">{name}</text>')
            parts.append(
                f'<rect x="{left}" y="{y + 2}" width="{end - left:.1f}" height="{bar - 5}" fill="{_COLOURS[name]}"/>'
            )
            parts.append(f'<text x="{end + 5:.1f}" y="{y + 15}">{value:,.1f}</text>')
            y += bar
        y += 6
    return "\n".join([*parts, "</svg>"]) + "\n"
