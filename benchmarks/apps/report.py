"""Results as a page: tables in Markdown and a plot in SVG."""

from __future__ import annotations

import statistics

from benchmarks.apps.results import ADDED_MS, Results, verdicts
from benchmarks.verdicts import spread, table


def markdown(results: Results, plot: str) -> str:
    machine = results.machine
    versions = ", ".join(f"{name} {number}" for name, number in machine.versions.items())
    rates = list(dict.fromkeys(rate for one in results.series for rate in one.added_p95))
    lines = [
        f"# Applications benchmark, {results.date[:10]}",
        "",
        f"`{results.command}` on {machine.cpu}, {machine.cores} cores, {machine.memory_mib:,} MiB, {machine.system}; "
        f"Python {machine.python}, {versions}. Load average before: {machine.load_before}. Ended {results.date}.",
        f"{results.users} users. Medians over the rounds, least and greatest in brackets; `benchmarks/README.md` says how it is measured.",
        "",
        "## Against what was promised",
        "",
        *table(
            ("figure", "target", "found", "verdict"),
            [(v.figure, v.target, v.found, v.word) for v in verdicts(results)],
        ),
        "",
    ]
    if results.series:
        lines += [
            f"![Time before the first token]({plot})",
            "",
            "## Users who ask again at once",
            "",
            *table(
                ("", "messages/s", "CPU ms a message", "of which gateways", "embedding", "with passages"),
                [
                    (
                        one.name,
                        spread(one.rate, 0),
                        spread(one.cpu, 2),
                        spread(one.gateway_cpu, 2),
                        spread(one.embedding_cpu, 2),
                        f"{one.cited:,} of {one.answered:,}",
                    )
                    for one in results.series
                ],
            ),
            "",
            "## Memory in MB",
            "",
            *table(
                ("", "RSS", "shared counted once", "sum of peaks", "of which the largest gateway"),
                [
                    (one.name, spread(one.rss, 0), spread(one.pss, 0), spread(one.peak, 0), spread(one.gateway_rss, 0))
                    for one in results.series
                ],
            ),
            "",
            f"## Ms before the first token, beyond the mock's {results.direct_first_token_ms:.2f} ms: median / 95th percentile",
            "",
            *table(
                ("", *(f"{rate} questions/s" for rate in rates)),
                [
                    (
                        one.name,
                        *(f"{spread(one.added_p50[rate])} / {spread(one.added_p95[rate])}" for rate in rates),
                    )
                    for one in results.series
                ],
            ),
        ]
        failures = [f"- {one.name}: {failure}" for one in results.series for failure in one.failures]
        lines += ["", *failures, ""] if failures else [""]
    if results.example is not None:
        example = results.example
        lines += [
            "## The example on the demo model",
            "",
            f"First token of the very first question after {example.first:.0f} ms, of {example.questions} others after "
            f"{example.p50:.0f} ms (median) and {example.p95:.0f} ms (95th percentile).",
            "",
        ]
    return "\n".join(lines).rstrip("\n") + "\n"


def svg(results: Results) -> str:
    """Lying bars: the 95th percentile of the time before the first token, and the promise as a line."""
    drawn = [
        (f"{one.name}, {rate}/s", statistics.median(values))
        for one in results.series
        for rate, values in one.added_p95.items()
    ]
    width, left, right, bar, top = 680, 250, 60, 24, 34
    most = max(ADDED_MS, *(value for _, value in drawn)) * 1.05
    height = top + bar * len(drawn) + 30

    def x_of(value: float) -> float:
        return left + value / most * (width - left - right)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        f'<text x="{left}" y="18">ms before the first token, 95th percentile; less is better</text>',
    ]
    for place, (name, value) in enumerate(drawn):
        y = top + bar * place
        parts += [
            f'<text x="{left - 8}" y="{y + 15}" text-anchor="end">{name}</text>',
            f'<rect x="{left}" y="{y + 2}" width="{x_of(value) - left:.1f}" height="{bar - 5}" fill="#2f6fde"/>',
            f'<text x="{x_of(value) + 5:.1f}" y="{y + 15}">{value:,.1f}</text>',
        ]
    x = x_of(ADDED_MS)
    parts += [
        f'<line x1="{x:.1f}" y1="{top - 4}" x2="{x:.1f}" y2="{height - 24}" stroke="#c33" stroke-dasharray="4 3"/>',
        f'<text x="{x:.1f}" y="{height - 8}" text-anchor="middle" fill="#c33">promised {ADDED_MS:.0f} ms</text>',
    ]
    return "\n".join([*parts, "</svg>"]) + "\n"
