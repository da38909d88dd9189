"""``make bench-apps ARGS=--short`` from its processes to its page."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import msgspec
import pytest
from benchmarks.apps.results import Results
from benchmarks.gateway.native import CannotBuild, build

pytestmark = pytest.mark.timeout(180)


def test_the_short_form_asks_and_is_answered_from_the_handbook(tmp_path: Path) -> None:
    if sys.platform != "linux":
        pytest.skip("mock upstream and load client use epoll, which only Linux has")
    try:
        build()
    except CannotBuild as error:
        pytest.skip(str(error))
    command = (sys.executable, "-m", "benchmarks.apps", "--short", "--out", str(tmp_path))
    done = subprocess.run(command, capture_output=True, text=True, timeout=150, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    page, data, plot = (
        tmp_path / done.stdout.split("/")[-1].strip().replace(".md", end) for end in (".md", ".json", ".svg")
    )
    (series,) = msgspec.json.decode(data.read_bytes(), type=Results).series
    assert series.failures == []
    assert series.answered > 50
    # Nearly every question of the set meets a word of the handbook.
    assert series.cited > series.answered * 0.9
    assert series.name in page.read_text("utf-8")
    ElementTree.fromstring(plot.read_text("utf-8"))  # noqa: S314 - our own
