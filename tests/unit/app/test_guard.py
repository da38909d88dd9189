"""``guard explain`` says what is found and done, ``guard test`` how well; neither needs a gateway."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from seekway.app.cli import main

TOML = """
[[guardrails.policies]]
name = "shop"
tenants = ["shop"]
lists = ["{lists}"]
[guardrails.policies.input.actions]
"*" = "flag"
"fruit/high" = "block"
"vegetable" = "mask"
"""
LISTS = "[fruit high]\ndurian\n[vegetable medium]\nrutabaga\n"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "fruit.txt").write_text(LISTS, "utf-8")
    path = tmp_path / "seekway.toml"
    path.write_text(TOML.format(lists=tmp_path / "fruit.txt"), "utf-8")
    return path


def guard(config: Path, *arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(main, ["--config", str(config), "guard", *arguments], input=stdin)


def test_a_blocked_text_is_explained_with_place_and_rule(config: Path) -> None:
    result = guard(config, "explain", "--tenant", "shop", "I sell durian and rutabaga")
    assert result.exit_code == 0, result.stderr
    assert "BLOCK: the request is refused with 400 content_filter (fruit, found by words)" in result.stdout
    assert "7–13" in result.stdout
    assert "I sell [durian] and rutabaga" in result.stdout
    assert "policy shop, version 1" in result.stdout


def test_what_is_left_of_a_masked_text_is_shown(config: Path) -> None:
    result = guard(config, "explain", "--policy", "shop", "-", stdin="a rutabaga here")
    assert "a *** here" in result.stdout


def test_a_harmless_text_is_said_to_be(config: Path) -> None:
    result = guard(config, "explain", "a durian")
    assert "PASS: nothing was found" in result.stdout
    assert "policy default" in result.stdout


def test_a_policy_that_is_not_there_is_refused_with_those_that_are(config: Path) -> None:
    result = guard(config, "explain", "--policy", "strict", "x")
    assert result.exit_code == 1
    assert "shop, default" in result.stderr


def test_a_list_with_a_mistake_is_named_with_its_line(config: Path, tmp_path: Path) -> None:
    (tmp_path / "fruit.txt").write_text("durian\n", "utf-8")
    result = guard(config, "explain", "--policy", "shop", "x")
    assert result.exit_code == 1
    assert f"{tmp_path / 'fruit.txt'}, line 1" in result.stderr


def test_labelled_texts_are_measured(config: Path, tmp_path: Path) -> None:
    lines = [
        {"text": "a durian", "label": "fruit"},
        {"text": "a pear", "label": "fruit"},
        {"text": "my rutabaga", "label": "benign"},
        {"text": "hello", "label": "benign", "source": "small talk"},
    ]
    file = tmp_path / "labelled.jsonl"
    file.write_bytes(b"\n".join(map(msgspec.json.encode, lines)))
    result = guard(config, "test", "--tenant", "shop", str(file))
    assert result.exit_code == 0, result.stderr
    assert "50.0%" in result.stdout
    assert "Missed: 1" in result.stdout
    assert "a pear" in result.stdout
    assert "False alarms: 1" in result.stdout
    assert "small talk" in result.stdout
    assert "reviewing: 100%" in result.stderr
