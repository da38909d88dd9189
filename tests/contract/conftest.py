"""A running Seekway for the contract tests, and the published clients that drive it.

``make clients`` installs the clients, each in an environment of its own.
``pytest tests/contract --seekway-url http://127.0.0.1:8000`` takes a server that runs already; otherwise one is started.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from tests.conftest import CACHE
from tests.contract.knowledge_served import knowledge_gateway
from tests.contract.scripted import scripted_gateway
from tests.e2e.served import Served

HERE = Path(__file__).parent
CLIENTS = HERE.parents[1] / ".cache" / "clients"
SCRIPT_S = 480
CHAT_MODEL = "deepseek-chat"
"""An alias that every Seekway serves: what a client of DeepSeek's asks for, unchanged."""


class Seen(dict[str, Any]):
    """What a check saw; asking it for something that it did not see fails with what it saw instead."""

    def __missing__(self, key: str) -> Any:
        pytest.fail(f"the client saw no {key!r}: {dict(self)}")


ClientRun = Callable[[str], Seen]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--seekway-url", default=None, help="Address of a running Seekway, without /v1.")


@pytest.fixture(scope="session")
def seekway_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a running Seekway, without ``/v1``."""
    given = cast("str | None", request.config.getoption("--seekway-url"))
    if given is not None:
        yield given.rstrip("/")
        return
    request.getfixturevalue("demo_model")
    with Served(tmp_path_factory.mktemp("seekway"), CACHE) as served:
        yield f"http://{served.address}"


@pytest.fixture(scope="session")
def embed_model(seekway_url: str) -> str:
    """The embedding model that the server lists."""
    with urllib.request.urlopen(f"{seekway_url}/v1/models", timeout=60) as answer:  # noqa: S310 - our own address
        ids = [cast("str", model["id"]) for model in json.load(answer)["data"]]
    return next(name for name in ids if "e5" in name or "embed" in name)


@pytest.fixture(scope="session")
def client_run(seekway_url: str, embed_model: str) -> ClientRun:
    """Run a client's script once, and give what each of its checks saw."""
    runs: dict[str, Seen] = {}

    def run(client: str) -> Seen:
        if client not in runs:
            runs[client] = run_client(client, seekway_url, CHAT_MODEL, embed_model)
        return runs[client]

    return run


@pytest.fixture(scope="session")
def scripted_run() -> ClientRun:
    """As :func:`client_run`, against a gateway whose models answer by a script."""
    runs: dict[str, Seen] = {}

    def run(client: str) -> Seen:
        if client not in runs:
            command = _command(client)
            with scripted_gateway() as address:
                runs[client] = _run([*command, address, "none", "none"], client)
        return runs[client]

    return run


@pytest.fixture(scope="session")
def knowledge_run() -> ClientRun:
    """As :func:`client_run`, against a gateway with a knowledge base."""
    runs: dict[str, Seen] = {}

    def run(client: str) -> Seen:
        if client not in runs:
            command = _command(client)
            with knowledge_gateway() as address:
                runs[client] = _run([*command, address, "none", "none"], client)
        return runs[client]

    return run


def run_client(client: str, url: str, chat_model: str, embed_model: str) -> Seen:
    """What each check of ``client``'s script saw at ``url``; skips where the client is not installed."""
    return _run([*_command(client), url, chat_model, embed_model], client)


def _command(client: str) -> list[str]:
    if client.startswith("node_"):
        node = shutil.which("node")
        if node is None or not (HERE / "node" / "node_modules").is_dir():
            pytest.skip("the npm clients are not installed: install Node.js, then run make clients")
        return [node, str(HERE / "node" / f"{client.removeprefix('node_')}_client.mjs")]
    # A package may have several scripts: openai_responses runs in the environment openai.
    python = CLIENTS / client.split("_")[0] / "bin" / "python"
    if not python.exists():
        pytest.skip(f"the client {client} is not installed: run make clients")
    return [str(python), str(HERE / "scripts" / f"{client}_client.py")]


def _run(command: list[str], client: str) -> Seen:
    with tempfile.TemporaryDirectory() as home:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=SCRIPT_S, check=False, env=_environment(HOME=home)
        )
    try:
        return json.loads(done.stdout, object_hook=Seen)
    except ValueError:
        pytest.fail(f"the script of {client} ended with {done.returncode}:\n{done.stderr[-4000:]}")


def _environment(**more: str) -> dict[str, str]:
    """No switch of ours, no telemetry, and no way out: every address but this machine's goes to a port where nothing listens."""
    nowhere = "http://127.0.0.1:9"
    proxies = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"), nowhere)
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
        "DO_NOT_TRACK": "1",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LANGSMITH_TRACING": "false",
        "LANGCHAIN_TRACING_V2": "false",
        "HF_HUB_OFFLINE": "1",
        **proxies,
        **more,
    }
