"""The command line: examples in every help, one line for every failure, JSON for scripts."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from seekway.app.cli import COMMANDS, main
from seekway.catalog.entries import ENTRIES
from seekway.catalog.store import Store
from tests.fakes.hub_server import HubServer, status
from tests.fakes.tiny_gguf import write_tiny_gguf


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "seekway.toml"
    path.write_text(f'[catalog]\ndirectory = "{tmp_path / "models"}"\n')
    return path


def run(config: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["--config", str(config), *arguments], env={"DEEPSEEK_API_KEY": ""})


def all_commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield (*path, name)
        if isinstance(command, click.Group):
            yield from all_commands(command, (*path, name))


@pytest.mark.parametrize("path", [(), *all_commands(main)], ids=" ".join)
def test_every_command_has_help_with_an_example(path: tuple[str, ...]) -> None:
    result = CliRunner().invoke(main, [*path, "--help"])
    assert result.exit_code == 0
    assert re.search(r"Examples?:\n +\S*.*seekway", result.output), result.output


def test_the_table_of_commands_names_what_exists() -> None:
    context = click.Context(main)
    for name in COMMANDS:
        command = main.get_command(context, name)
        assert command is not None
        assert command.name == name


def test_the_help_waits_for_no_engine_and_no_http_client() -> None:
    """It is what a newcomer types first, on a machine that may be slow."""
    code = (
        "import sys; from click.testing import CliRunner; from seekway.app.cli import main; "
        "assert CliRunner().invoke(main, ['--help']).exit_code == 0; "
        "print(*({'numpy', 'aiohttp', 'grpc', 'fastapi', 'jinja2', 'gguf'} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert ran.stdout.strip() == ""


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["nonsense"], 2, "No such command 'nonsense'"),
        (["models", "pull"], 2, "Missing argument 'NAME'"),
        (["models", "quantize", "x", "--to", "q99"], 2, "'q99' is not one of"),
        (["models", "pull", "nonsense"], 1, "There is no model nonsense"),
        (["models", "rm", "deepseek-r1:7b"], 1, "No model deepseek-r1:7b is installed"),
        (["models", "rm", "--", "../x"], 1, "not a model's name"),
        (["models", "info", "nonsense"], 1, "There is no model nonsense"),
        (["models", "quantize", "nonsense", "--to", "q8_0"], 1, "neither a GGUF file nor an installed model"),
        (["models", "quantize", "none.gguf", "--to", "q8_0"], 1, "none.gguf cannot be read"),
        (["models", "pull", "a/b", "--mirror", "ftp://x"], 1, "must begin with http"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,  # pyright: ignore[reportUnknownArgumentType, reportUnknownLambdaType]
)
def test_a_failure_is_one_line_on_standard_error(config: Path, arguments: list[str], code: int, sentence: str) -> None:
    result = run(config, *arguments)
    assert result.exit_code == code
    assert result.stdout == ""
    assert result.stderr.startswith("seekway: ")
    assert sentence in result.stderr
    assert result.stderr.count("\n") == 1


def test_the_catalogue_is_listed_for_people_and_for_scripts(config: Path) -> None:
    shown = run(config, "models", "list", "--available")
    for entry in ENTRIES:
        assert f"{entry.name} " in shown.stdout
    names = [entry["name"] for entry in json.loads(run(config, "models", "list", "--available", "--json").stdout)]
    assert names == [entry.name for entry in ENTRIES]


def test_an_empty_store_says_how_to_fill_it(config: Path) -> None:
    assert "seekway models pull" in run(config, "models", "list").stdout
    assert json.loads(run(config, "models", "list", "--json").stdout) == []


async def pull(config: Path, *arguments: str) -> tuple[int | None, str, str]:
    """In a process of its own: the hub in this one needs the event loop."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "seekway.app", "--config", str(config), "models", "pull", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        out, err = await child.communicate()
    return child.returncode, out.decode(), err.decode()


async def test_pull_list_info_and_rm_belong_together(config: Path, tmp_path: Path) -> None:
    content = write_tiny_gguf(tmp_path / "tiny.gguf", width=64).read_bytes()
    async with HubServer({"model-Q8_0.gguf": content}) as server:
        code, out, err = await pull(config, "owner/model:Q8_0", "--mirror", server.base)
        assert (code, out) == (0, "")
        assert "owner/model:Q8_0: 100%" in err
        assert "installed: " in err
        assert "was there already" in (await pull(config, "owner/model:Q8_0", "--mirror", server.base))[2]
        server.list_faults = [status(404)]
        code, _, err = await pull(config, "owner/model:Q4_0", "--mirror", server.base)
        assert (code, err.count("\n")) == (1, 1)
    assert "owner/model:Q8_0" in run(config, "models", "list").stdout
    assert json.loads(run(config, "models", "info", "owner/model:Q8_0", "--json").stdout)["quantization"] == "Q8_0"
    assert (
        CliRunner().invoke(main, ["--config", str(config), "models", "rm", "owner/model:Q8_0"], input="n\n").exit_code
    )
    assert Store(tmp_path / "models").find("owner/model:Q8_0")
    assert "removed" in run(config, "models", "rm", "owner/model:Q8_0", "--yes").stderr
    assert not Store(tmp_path / "models").find("owner/model:Q8_0")


def test_quantize_prints_memory_and_perplexity_before_and_after(config: Path, tmp_path: Path) -> None:
    source = write_tiny_gguf(tmp_path / "tiny-F16.gguf")
    arguments = ("models", "quantize", str(source), "--to", "q8_0", "--perplexity-tokens", "64")
    result = run(config, *arguments)
    assert result.exit_code == 0, result.stderr
    assert re.search(r"weight memory +\S+ MB +\S+ (MB|kB)", result.stdout)
    assert re.search(r"of FP32 +5\d\.\d% +26\.\d%", result.stdout)
    assert re.search(r"perplexity +\d+\.\d+ ± \d+\.\d+ +\d+\.\d+ ± \d+\.\d+ \([+-]\d\.\d\d%\)", result.stdout)
    assert (tmp_path / "tiny-F16-Q8_0.gguf").exists()
    again = run(config, *arguments)
    assert "exists; name another file" in again.stderr
    report = json.loads(run(config, *arguments, "--output", str(tmp_path / "o.gguf"), "--json").stdout)
    assert report["perplexity_after"]["tokens"] == 64
    assert report["quantized"]["parameters"] > 0


async def test_an_installed_model_is_quantized_into_another_installed_one(config: Path, tmp_path: Path) -> None:
    content = write_tiny_gguf(tmp_path / "tiny.gguf").read_bytes()
    async with HubServer({"model-F16.gguf": content}) as server:
        await pull(config, "owner/model:F16", "--mirror", server.base)
    result = run(config, "models", "quantize", "owner/model:F16", "--to", "q4_k_m", "--no-perplexity")
    assert result.exit_code == 0, result.stderr
    made = Store(tmp_path / "models").find("owner/model:F16-q4_k_m")
    assert made is not None
    assert made.source.startswith("quantized:owner/model:F16@")
    assert "seekway up --model owner/model:F16-q4_k_m" in result.stderr


def test_what_nobody_foresaw_is_one_line_unless_asked_for(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Store) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Store, "list", broken)
    result = run(config, "models", "list")
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert "internal error, ZeroDivisionError" in result.stderr
    assert isinstance(run(config, "--debug", "models", "list").exception, ZeroDivisionError)


def test_a_reader_that_goes_away_leaves_no_traceback(config: Path) -> None:
    command = f"{sys.executable} -m seekway.app --config {config} models list --available --json | head -c 10"
    result = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert "Traceback" not in result.stderr
    assert len(result.stdout) == 10
