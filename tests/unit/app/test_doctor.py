"""``doctor`` says how things are, what to do, and ends with 1 when something must be mended."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

from click.testing import CliRunner, Result

from seekway.app.cli import main
from seekway.app.machine import memory, port_owner, port_taken, processor
from tests.fakes.tiny_gguf import write_tiny_gguf


def doctor(folder: Path, settings: str = "", *arguments: str, **environ: str) -> Result:
    path = folder / "s.toml"
    path.write_text(f'[catalog]\ndirectory = "{folder / "models"}"\n{settings}')
    env: dict[str, str | None] = {"DEEPSEEK_API_KEY": None, **environ}
    return CliRunner().invoke(main, ["--config", str(path), "doctor", *arguments], env=env)


def states(result: Result) -> dict[str, tuple[str, str]]:
    return {check["name"]: (check["state"], check["detail"]) for check in json.loads(result.stdout)}


FREE_PORTS = "[gateway]\nport = 0\n[model_service]\nport = 0\n"


def test_a_sound_machine_is_ready(tmp_path: Path) -> None:
    result = doctor(tmp_path, FREE_PORTS)
    assert result.exit_code == 0, result.output
    assert "Ready: seekway up" in result.output
    assert "openvino-genai" in result.output
    assert str(tmp_path / "s.toml") in result.output


def test_a_missing_model_is_a_problem_with_its_remedy(tmp_path: Path) -> None:
    result = doctor(tmp_path, FREE_PORTS + '[[models]]\nname = "deepseek-r1:7b"\n')
    assert result.exit_code == 1
    assert "seekway models pull deepseek-r1:7b, 4.68 GB" in result.output
    assert "1 problem to mend" in result.output


def test_each_model_says_which_engine_it_gets(tmp_path: Path) -> None:
    for architecture in ("qwen2", "deepseek2"):
        write_tiny_gguf(tmp_path / f"{architecture}.gguf", width=64, architecture=architecture)
    (tmp_path / "broken.gguf").write_bytes(b"x")
    models = "".join(
        f'[[models]]\nname = "{name}"\npath = "{tmp_path / name}.gguf"\n' for name in ("qwen2", "deepseek2", "broken")
    )
    result = doctor(tmp_path, FREE_PORTS + models, "--json")
    found = states(result)
    assert result.exit_code == 1
    assert found["model qwen2"][1].endswith("engine openvino")
    assert found["model deepseek2"][1].endswith("engine llamacpp")
    assert found["model broken"][0] == "problem"
    assert f"{tmp_path / 'broken.gguf'} is not a GGUF file" in found["model broken"][1]


def test_a_taken_port_is_named_with_its_owner(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = int(server.getsockname()[1])
        assert port_taken("127.0.0.1", port)
        result = doctor(tmp_path, f"[gateway]\nport = {port}\n[model_service]\nport = 0\n", "--json")
        state, detail = states(result)["gateway port"]
        assert state == "warn"
        if Path("/proc/net/tcp").exists():
            assert f"process {os.getpid()}" in str(port_owner(port))
            assert f"process {os.getpid()}" in detail
    assert not port_taken("127.0.0.1", port)


def test_keys_are_told_set_or_not_and_never_shown(tmp_path: Path) -> None:
    result = doctor(tmp_path, FREE_PORTS, "--json", DEEPSEEK_API_KEY="sk-very-secret")
    assert "sk-very-secret" not in result.output
    assert states(result)["DEEPSEEK_API_KEY"][1].startswith("set")
    missing = doctor(
        tmp_path,
        FREE_PORTS + '[[backends]]\nname = "b"\nbase_url = "http://x"\napi_key_env = "SEEKWAY_TEST_NO_SUCH_KEY"\n',
        "--json",
    )
    assert missing.exit_code == 1
    assert states(missing)["backend b"][0] == "problem"


def test_the_machine_is_read(tmp_path: Path) -> None:
    assert processor().cores >= 1
    assert memory().total > 100_000_000
