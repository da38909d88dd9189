"""What the applications' benchmark makes of its figures: verdicts, page and plot."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

from benchmarks.apps import report
from benchmarks.apps.results import FRESH, PROMISED, Example, Results, Series, verdicts
from benchmarks.machine import Machine

MACHINE = Machine("a processor", 2, 1024, "Linux", "3.11", {"seekway": "0.1.0"}, 0.5)


def series(name: str, *, rate: float = 350.0, added: float = 20.0, failures: list[str] | None = None) -> Series:
    added_ms = {"20": [added / 2, added, added * 2]}
    memory = [300.0], [250.0], [310.0], [120.0]
    return Series(name, [rate], [5.0], [4.0], [1.0], added_ms, added_ms, *memory, 900, 880, failures or [])


def results(*found: Series, example: Example | None = None) -> Results:
    return Results("2026-11-23T00:00:00+00:00", "python -m benchmarks.apps", MACHINE, 50, 0.03, list(found), example)


def test_promises_are_held_against_the_whole_application_alone() -> None:
    found = verdicts(results(series(PROMISED), series(FRESH, rate=100.0, added=60.0), series("full text", rate=1.0)))
    assert [one.met for one in found] == [True, True, True, True, False, False, True, True]
    assert [one.word for one in found if not one.met] == ["missed by 10.0 ms", "missed by 200.00 a second"]


def test_both_of_the_examples_figures_are_judged() -> None:
    found = verdicts(results(example=Example(first=700.0, p50=300.0, p95=450.0, questions=12)))
    assert [one.met for one in found] == [True, False]


def test_the_page_has_every_series_and_its_failures() -> None:
    page = report.markdown(results(series("one way", failures=["2 of 9 messages failed"]), series("another")), "p.svg")
    assert "| one way | 350 (350–350) |" in page
    assert "- one way: 2 of 9 messages failed" in page
    assert "| another | 20.0 (10.0–40.0) / 20.0 (10.0–40.0) |" in page
    assert "p.svg" in page


def test_the_plot_has_a_bar_for_each_rate_of_each_series() -> None:
    root = ElementTree.fromstring(report.svg(results(series("a"), series("b"))))  # noqa: S314 - our own
    bars = [bar for bar in root.iter("{http://www.w3.org/2000/svg}rect") if bar.get("x")]
    assert len(bars) == 2
