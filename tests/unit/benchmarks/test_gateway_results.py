"""What the gateway's benchmark makes of its figures: settings, verdicts, page and plot."""

from __future__ import annotations

import shutil
import tomllib
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import msgspec
import pytest
from benchmarks.gateway import native, report
from benchmarks.gateway.alone import add_costs
from benchmarks.gateway.contestants import DIRECT, LITELLM, NGINX, SEEKWAY, over_mock, with_settings
from benchmarks.gateway.features import filled, read_plan
from benchmarks.gateway.results import Results, verdicts
from benchmarks.gateway.sections import Column, Row, Section
from benchmarks.gateway.toml_text import Table, dump, merge
from benchmarks.gateway.without import PARTS
from benchmarks.machine import Machine

from seekway.core.settings import Settings

MACHINE = Machine("a processor", 2, 1024, "Linux", "3.11", {"seekway": "0.1.0"}, 0.5)


def results(*sections: Section) -> Results:
    return Results("2026-11-22T00:00:00+00:00", "python -m benchmarks.gateway", MACHINE, ["API key"], list(sections))


def section(name: str, **rows: dict[str, list[float]]) -> Section:
    columns = [Column(key, key) for key in dict.fromkeys(key for values in rows.values() for key in values)]
    return Section(name, name.title(), "How.", columns, [Row(row, values) for row, values in rows.items()])


def test_settings_are_written_as_toml_reads_them() -> None:
    table: Table = {
        "text": 'with "quotes" and 中文',
        "yes": True,
        "few": [1, 2.5],
        "inner": {"deeper": {"a": 1}, "b": "c"},
        "many": [{"x": 1, "y": {"z": "w"}}, {"x": 2}],
        "odd key": {"another one": 3},
    }
    assert tomllib.loads(dump(table)) == table


def test_tables_join_and_lists_of_tables_grow() -> None:
    merged = merge({"a": {"x": 1, "y": 1}, "l": [{"n": 1}], "s": [1]}, {"a": {"y": 2}, "l": [{"n": 2}], "s": [2]})
    assert merged == {"a": {"x": 1, "y": 2}, "l": [{"n": 1}, {"n": 2}], "s": [2]}


def test_names_in_settings_are_filled_in_with_their_kind() -> None:
    assert filled({"a": "@n@", "b": ["x/@n@", {"c": "@n@"}]}, {"n": 2}) == {"a": 2, "b": ["x/2", {"c": 2}]}


def test_the_settings_without_any_feature_are_taken_by_seekway() -> None:
    plan = read_plan()
    bare = with_settings(over_mock([1, 2], plan.backend), *(feature.off for feature in plan.feature))
    assert len(msgspec.convert(tomllib.loads(dump(bare)), Settings).backends) == 2


def test_every_feature_has_a_name_of_its_own_and_switches_something() -> None:
    features = read_plan().feature
    assert len({feature.name for feature in features}) == len(features)
    assert all(bool(feature.on) != bool(feature.without) for feature in features)
    assert {feature.without for feature in features} == {"", *PARTS}


def test_a_feature_costs_what_its_row_is_above_the_bare_one_and_one_taken_out_what_it_is_below() -> None:
    bare, on, out = (
        Row(name, {"us": values}) for name, values in (("bare", [100.0, 90.0]), ("on", [130.0, 110.0]), ("out", [95.0]))
    )
    add_costs(bare, [bare, on, out], ["out"])
    assert "added" not in bare.values
    assert on.values["added"] == [30.0, 20.0]
    assert out.values["added"] == [5.0]


def test_speed_is_judged_against_the_target_and_against_litellm() -> None:
    found = verdicts(
        results(
            section("requests", Seekway={"us": [59.0, 50.0, 70.0]}, LiteLLM={"us": [9000.0]}, nginx={"us": [20.0]}),
            section("chunks", Seekway={"us": [19.0]}, LiteLLM={"us": [630.0]}),
        )
    )
    assert [(v.figure, v.word) for v in found if v.target] == [
        ("CPU a request", "met"),
        ("requests of a CPU second, over LiteLLM", "met"),
        ("CPU a streamed chunk", "missed by 1.0 µs"),
        ("chunks of a CPU second, over LiteLLM", "missed by 1.84 times"),
    ]


def test_memory_is_judged_from_the_first_load_to_the_last() -> None:
    rows = {"idle": [50.0], "after 20,000 requests": [100.0], "after all 1,000,000 requests": [125.0]}
    found = verdicts(results(section("memory", **{name: {"rss": values} for name, values in rows.items()})))
    assert [v.word for v in found] == ["missed by 5.0 MB", "met"]


def test_one_load_alone_says_nothing_of_growth() -> None:
    found = verdicts(results(section("memory", **{"after 5,000 requests": {"rss": [100.0]}})))
    assert [v.figure for v in found] == ["RSS after 5,000 requests"]


def test_flat_is_judged_for_each_kind_of_backends() -> None:
    rows = {"1, one model": 50.0, "1000, one model": 51.0, "1, a model each": 50.0, "1000, a model each": 60.0}
    found = verdicts(results(section("backends", **{name: {"us": [value]} for name, value in rows.items()})))
    assert [v.word for v in found] == ["met", "missed by 0.10 times"]


def test_what_was_not_measured_has_no_verdict() -> None:
    skipped = Section("workers", "Workers", "How.", [], skipped="this machine has one core")
    assert verdicts(results(skipped, section("requests", direct={"rps": [1.0]}))) == []


def test_the_page_holds_table_notes_and_reasons() -> None:
    requests = section("requests", **{SEEKWAY: {"us": [50.0, 40.0, 60.0]}, DIRECT: {"rps": [1.0]}})
    requests.note("nginx is left out: it is not installed.")
    skipped = Section("workers", "Workers", "How.", [], skipped="this machine has one core")
    page = report.markdown(results(requests, skipped), "plot.svg")
    assert "| Seekway | 50.0 (40.0–60.0) |  |" in page
    assert "- nginx is left out: it is not installed." in page
    assert "Skipped: this machine has one core." in page
    assert "plot.svg" in page


def test_the_plot_is_drawn_on_a_logarithmic_scale() -> None:
    drawn = [("a request", NGINX, 10.0), ("a request", SEEKWAY, 100.0), ("a request", LITELLM, 1000.0)]
    # The text is our own; nothing from outside is parsed.
    root = ElementTree.fromstring(report.svg(drawn))  # noqa: S314
    widths = [float(bar.get("width", "")) for bar in root.iter("{http://www.w3.org/2000/svg}rect") if bar.get("x")]
    assert widths[1] - widths[0] == pytest.approx(widths[2] - widths[1], abs=0.2)


def test_no_compiler_is_one_clear_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def nothing(_: str) -> None:
        return None

    monkeypatch.setattr(shutil, "which", nothing)
    with pytest.raises(native.CannotBuild, match="apt-get install gcc"):
        native.build(tmp_path)
