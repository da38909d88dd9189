"""What a process holds for days it does not hold for nothing: packages that only others need are not loaded."""

from __future__ import annotations

import subprocess
import sys

import pytest

_HEAVY = {
    "aiohttp", "apsw", "fastapi", "gguf", "grpc", "jinja2", "jsonschema", "marisa_trie", "mcp", "numpy", "openvino_genai",
    "pygments", "prometheus_client", "pydantic", "rich", "starlette", "tokenizers", "uvicorn", "uvloop", "xllamacpp", "yaml",
}  # fmt: skip


def loaded(script: str) -> set[str]:
    """The heavy packages that are there when ``script`` has run in a process of its own."""
    told = f"import sys\n{script}\nprint(*({_HEAVY!r} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-I", "-c", told], capture_output=True, text=True, timeout=60, check=False, env={}
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return set(done.stdout.split())


def command(name: str, *modules: str) -> str:
    """As the command line comes to it, with the modules that it imports when it runs."""
    lines = [
        "import click",
        "from seekway.app.cli import main",
        f"assert main.get_command(click.Context(main), {name!r})",
    ]
    return "\n".join([*lines, *(f"import {module}" for module in modules)])


def test_the_supervisor_holds_nothing_of_what_it_supervises() -> None:
    assert loaded(command("up", "seekway.app.up")) <= {"rich"}


def test_the_model_service_holds_grpc_alone() -> None:
    assert loaded(command("model-server", "seekway.app.model_server")) == {"grpc"}


def test_a_gateway_holds_what_requests_need() -> None:
    found = loaded(command("gateway", "seekway.app.gateway"))
    assert found & {"fastapi", "uvicorn"} == {"fastapi", "uvicorn"}
    unwanted = {"aiohttp", "gguf", "grpc", "jinja2", "jsonschema", "mcp", "openvino_genai", "rich", "pygments"}
    assert not found & (unwanted | {"tokenizers", "xllamacpp"})


def test_a_worker_holds_no_server() -> None:
    script = """
from seekway.app.worker import main
try:
    main([])  # without its arguments it ends when everything is imported
except SystemExit:
    pass
"""
    found = loaded(script)
    assert "tokenizers" in found
    assert not found & {"aiohttp", "apsw", "fastapi", "grpc", "prometheus_client", "pygments", "rich", "uvicorn"}


def test_a_document_reader_holds_no_server() -> None:
    found = loaded("import seekway.knowledge.parsing.reader_child")
    assert not found & (_HEAVY - {"yaml"})


@pytest.mark.parametrize("first", ["", "import rich"])
def test_rich_is_there_for_whoever_asks_for_it(first: str) -> None:
    script = f"""{first}
from seekway.observability.lean_structlog import import_without_rich
import_without_rich()
import structlog
from seekway.app.terminal import messages
assert messages().stderr"""
    assert "rich" in loaded(script)
