"""The README's commands do what it says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.e2e.served import Served

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.model, pytest.mark.timeout(400)]


@pytest.mark.parametrize("name", ["README.md", "README.zh.md"])
def test_its_curl_command_streams_an_answer(served: Served, name: str) -> None:
    found = re.search(r"curl -N http://127\.0\.0\.1:8000(\S+) .*\\\n\s+-d '(\{.*\})'", (ROOT / name).read_text("utf-8"))
    assert found
    with served.open(found[1], json.loads(found[2])) as response:
        assert response.status == 200
        stream = response.read().decode()
    assert stream.count("data: {") > 2
    assert stream.endswith("data: [DONE]\n\n")


def test_its_make_targets_and_subcommands_exist() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    makefile = (ROOT / "Makefile").read_text("utf-8")
    commands = (ROOT / "docs" / "reference" / "cli.md").read_text("utf-8")
    for target in re.findall(r"^make ([\w-]+)", text, re.M):
        assert re.search(rf"^{target}:", makefile, re.M)
    for command in re.findall(r"^\.venv/bin/seekway ((?:[a-z]+ ?)+)", text, re.M):
        assert f"seekway {command.strip()}" in commands
