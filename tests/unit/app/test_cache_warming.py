"""The questions of a file become the requests that clients will send."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from prometheus_client import CollectorRegistry, generate_latest

from seekway.app.cache_warming import CacheFigure, cache_figures, read_questions
from seekway.core.errors import InvalidRequest
from seekway.observability.cache_figures import CacheCounts, CacheFigures, CacheSize
from seekway.pipeline.cache.frequency import FrequentQuestion


def read(file: Path | None = None, log: Path | None = None, *, most: int = 100, tenant: str | None = None) -> list[Any]:
    bodies = read_questions(file, log, tenant=tenant, model="m", system="Be brief.", temperature=0.0, most=most)
    return [msgspec.json.decode(body) for body in bodies]


def test_plain_lines_are_questions_and_json_lines_are_requests(tmp_path: Path) -> None:
    path = tmp_path / "q"
    path.write_text(
        '\ufeffWhat?\n\n  是什么？ \r\n{"messages": [{"role": "user", "content": "x"}], "model": "n", "seed": 1}\nWhat?\n',
        "utf-8",
    )
    first, second, third = read(path)
    system = {"role": "system", "content": "Be brief."}
    assert first == {
        "model": "m",
        "messages": [system, {"role": "user", "content": "What?"}],
        "temperature": 0.0,
        "stream": False,
    }
    assert second["messages"][1]["content"] == "是什么？"
    assert third == {"model": "n", "messages": [{"role": "user", "content": "x"}], "seed": 1, "stream": False}
    assert len(read(path, most=2)) == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"ok\n{\n", "line 2"),
        (b'{"model": "m"}', "messages is missing"),
        (b"\xff\xfe", "UTF-8"),
        (b"\n \n", "no question"),
    ],
)
def test_a_bad_file_is_refused_with_its_line(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "q"
    path.write_bytes(content)
    with pytest.raises(InvalidRequest, match=message):
        read(path)


def test_the_most_frequent_of_one_tenant_are_asked(tmp_path: Path) -> None:
    path = tmp_path / "q"
    questions = [FrequentQuestion(9 - n, f"tenant:{t}", {"messages": [], "n": n}) for n, t in enumerate("abaa")]
    path.write_bytes(msgspec.json.Encoder().encode_lines(questions))
    with pytest.raises(InvalidRequest, match=r"tenant:a, tenant:b.*--tenant"):
        read(log=path)
    assert [body["n"] for body in read(log=path, tenant="a")] == [0, 2, 3]
    assert [body["n"] for body in read(log=path, tenant="tenant:a", most=1)] == [0]
    with pytest.raises(InvalidRequest, match="no question"):
        read(log=path, tenant="c")


def test_a_frequency_file_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "q"
    path.write_text("What?\n")
    with pytest.raises(InvalidRequest, match="frequency_file"):
        read(log=path)


def test_the_caches_figures_are_found_among_the_metrics() -> None:
    registry = CollectorRegistry()
    registry.register(CacheFigures(CacheCounts(hits=3, misses=1, stored=2), lambda: CacheSize(5, 6, 7)))
    figures = cache_figures(generate_latest(registry).decode())
    assert {figure.name: figure.value for figure in figures}.items() >= {
        ("hit", 3.0),
        ("miss", 1.0),
        ("stored", 2.0),
        ("hit_ratio", 0.75),
        ("bytes", 6.0),
    }
    assert CacheFigure("hit", 3.0) in figures
    assert cache_figures("# HELP x y\n# TYPE x counter\nx_total 1\n") == []
