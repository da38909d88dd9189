"""``config check`` shows what is in force and where a mistake stands."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from seekway.app.cli import main
from seekway.app.config_lines import line_of, line_of_entry


def check(path: Path, *arguments: str, **environ: str) -> Result:
    env: dict[str, str | None] = {"DEEPSEEK_API_KEY": None, **environ}
    return CliRunner().invoke(main, ["--config", str(path), "config", "check", *arguments], env=env)


def test_what_is_printed_is_toml_and_in_force(tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    path.write_text(
        '[gateway]\nport = 9000\n[[models]]\nname = "a"\n[aliases]\n"deepseek-chat" = "a"\n'
        '[[backends]]\nname = "b"\nbase_url = "https://user:hunter2@example.com"\n'
    )
    result = check(path, SEEKWAY_GATEWAY__HOST="::1")
    assert result.exit_code == 0, result.stderr
    shown = tomllib.loads(result.stdout)
    assert (shown["gateway"]["port"], shown["gateway"]["host"]) == (9000, "::1")
    assert shown["models"][0]["name"] == "a"
    assert shown["aliases"] == {"deepseek-chat": "a"}
    assert shown["backends"][0]["base_url"] == "https://***@example.com"
    assert "hunter2" not in result.stdout
    assert json.loads(check(path, "--json").stdout)["gateway"]["port"] == 9000


def test_a_key_is_never_shown(tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    path.write_text("")
    result = check(path, DEEPSEEK_API_KEY="sk-very-secret")
    assert "sk-very-secret" not in result.output
    assert tomllib.loads(result.stdout)["backends"][0]["api_key_env"] == "DEEPSEEK_API_KEY"


def test_tables_within_tables_are_printed_as_toml_that_loads(tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    path.write_text(
        '[[processing.templates]]\nname = "t"\nsystem = "{{ brand }}"\n[processing.templates.variables]\nbrand = "x"\n'
        '[[processing.post_process]]\nname = "p"\nsteps = [{kind = "trim"}, {kind = "append", text = "!"}]\n'
    )
    shown = check(path).stdout
    path.write_text(shown)
    again = check(path)
    assert again.exit_code == 0, again.stderr
    assert again.stdout == shown
    assert tomllib.loads(shown)["processing"]["templates"][0]["variables"] == {"brand": "x"}
    assert [step["kind"] for step in tomllib.loads(shown)["processing"]["post_process"][0]["steps"]] == [
        "trim",
        "append",
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[[processing.templates]]\nname = "shop"\nsystem = "{% if %}"\n', "shop: system"),
        (
            '[[processing.post_process]]\nname = "sms"\nsteps = [{kind = "replace", pattern = "(a"}]\n',
            "pattern 'sms' cannot be used",
        ),
    ],
)
def test_a_rule_that_cannot_be_followed_is_named(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "s.toml"
    path.write_text(text)
    result = check(path)
    assert result.exit_code != 0
    assert told in result.output


@pytest.mark.parametrize(
    ("text", "line", "field"),
    [
        ("[gateway]\n\nport = 99999\n", 3, "port"),
        ("# a comment\n[gateway]\nprot = 1\n", 3, "prot"),
        ('[[models]]\nname = "a"\n\n[[models]]\nname = ""\n', 5, "name"),
        ("gateway = 3\n", 1, "gateway"),
        ("[gateway]\nport = \n", 2, "line 2"),
        ('[gate]\nport = "a"\n', 1, "gate"),
    ],
    ids=["range", "unknown field", "in a list", "no table", "no TOML", "unknown table"],
)
def test_a_mistake_is_named_with_file_line_and_field(tmp_path: Path, text: str, line: int, field: str) -> None:
    path = tmp_path / "s.toml"
    path.write_text(text)
    result = check(path)
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert str(path) in result.stderr
    assert f"line {line}" in result.stderr
    assert field in result.stderr


POLICIES = """
[guardrails]
[[guardrails.policies]]
name = "a"
tenants = ["x"]
[guardrails.policies.output.actions]
"*" = "mask"

[[guardrails.policies]]
name = "b"
[guardrails.policies.output]
on_failure = "open"
[guardrails.policies.output.actions]
"violence/high" = "block"
"""


@pytest.mark.parametrize(
    ("was", "wrong", "line"),
    [
        ('on_failure = "open"', 'on_failure = "ajar"', 12),
        ('"violence/high" = "block"', '"violence/high" = "blok"', 14),
        ('"violence/high"', '"violence/hihg"', 14),
        ('name = "b"', 'name = "a"', 10),
        ('name = "b"', 'name = "b"\nroutes = ["nowhere"]', 11),
        ('tenants = ["x"]', "", 10),
        ('name = "b"', 'name = "b"\nmesages = {}', 11),
    ],
)
def test_a_policys_mistake_is_named_with_its_own_line(tmp_path: Path, was: str, wrong: str, line: int) -> None:
    path = tmp_path / "s.toml"
    path.write_text(POLICIES)
    result = check(path)
    assert result.exit_code == 0, result.stderr
    assert tomllib.loads(result.stdout)["guardrails"]["policies"][1]["output"]["actions"] == {"violence/high": "block"}
    path.write_text(POLICIES.replace(was, wrong))
    result = check(path)
    assert result.exit_code == 1
    assert f"{path}, line {line}" in result.stderr, result.stderr


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    result = check(tmp_path / "none.toml")
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert "cannot be read" in result.stderr


def test_dotted_keys_and_headings_are_found() -> None:
    text = 'gateway.port = 1\n[catalog] # here\n"hub" = "x"\n'
    assert line_of(["gateway", "port"], text) == 1
    assert line_of(["catalog"], text) == 2
    assert line_of(["catalog", "hub"], text) == 3
    assert line_of(["catalog", "nothing"], text) == 2
    assert line_of(["engine"], text) is None


BACKENDS = """[gateway]
port = 9000

[[backends]]
name = "first"
base_url = "http://127.0.0.1:1/v1"
api_key_env = "FIRST_KEY"

[[backends]]  # the other one
name = 'second'
{where}
base_url = "http://127.0.0.1:2/v1"
"""


@pytest.mark.parametrize(
    ("where", "problem"),
    [
        ('api_key_env = "SECOND_KEY"', "The environment variable SECOND_KEY is empty"),
        ('api_key_file = "/nowhere/second.key"', "The key file /nowhere/second.key cannot be read"),
    ],
    ids=["environment", "file"],
)
def test_a_backends_missing_key_is_named_with_its_line(tmp_path: Path, where: str, problem: str) -> None:
    path = tmp_path / "s.toml"
    path.write_text(BACKENDS.format(where=where))
    result = check(path, FIRST_KEY="sk-first", SECOND_KEY="")
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"{path}, line 11: backends: second: {problem}" in result.stderr
    assert check(path, FIRST_KEY="", SECOND_KEY="x").stderr.startswith(f"seekway: {path}, line 7: backends: first: ")


def test_a_missing_redis_password_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    path.write_text('[quota]\nredis_url = "redis://127.0.0.1:1"\nredis_password_env = "REDIS_WORD"\n')
    assert f"{path}, line 3: quota.redis_password_env: " in check(path, REDIS_WORD="").stderr
    assert check(path, REDIS_WORD="x").exit_code == 0


def test_a_backend_written_in_one_line_is_found_by_its_table() -> None:
    text = 'backends = [{name = "a", base_url = "http://x", api_key_env = "A"}]\n'
    assert line_of_entry("backends", "a", "api_key_env", text) is None
    assert line_of(["backends"], text) == 1
