"""The gateways that are compared, each with its settings for one and the same job: one key, no cache, plain HTTP on loopback."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import sys
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path

from benchmarks.gateway.native import CACHE
from benchmarks.gateway.processes import Gateway, gateway
from benchmarks.gateway.toml_text import Table, dump, merge

KEY = "sk-bench-0"
DIRECT, NGINX, LITELLM, SEEKWAY = "direct", "nginx", "LiteLLM", "Seekway"
_ROOT = Path(__file__).parents[2]
_LITELLM_PROGRAM = CACHE / "litellm" / "bin" / "litellm"

_NGINX = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr crit;
events {{ worker_connections 8192; }}
http {{
  access_log off;
  client_body_temp_path {folder}/nginx-body;
  proxy_temp_path {folder}/nginx-proxy;
  fastcgi_temp_path {folder}/nginx-fastcgi;
  uwsgi_temp_path {folder}/nginx-uwsgi;
  scgi_temp_path {folder}/nginx-scgi;
  keepalive_requests 1000000000;
  upstream mock {{ server 127.0.0.1:{upstream}; keepalive 512; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      proxy_pass http://mock;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
    }}
  }}
}}
"""


def nginx_program() -> str | None:
    """Debian keeps it where a user's PATH does not look."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")


def absent(name: str, without: Sequence[str]) -> str | None:
    if name.lower() in without:
        return "it was asked to be"
    if name == NGINX and nginx_program() is None:
        return "nginx is not installed; on Debian or Ubuntu: apt-get install nginx-light"
    if name == LITELLM and not _LITELLM_PROGRAM.exists():
        return "it is not installed; make bench-peers installs it"
    return None


def nginx_version() -> str:
    told = subprocess.run((nginx_program() or "nginx", "-v"), capture_output=True, text=True, check=True, timeout=10)
    return told.stderr.rpartition("/")[2].split()[0]


def litellm_version() -> str:
    for line in (Path(__file__).parent / "requirements-litellm.lock").read_text("utf-8").splitlines():
        if line.startswith("litellm=="):
            return line.split("==")[1].split()[0]
    raise RuntimeError("the lock names no litellm")


@contextlib.contextmanager
def nginx(upstream: int, folder: Path) -> Generator[Gateway]:
    program = nginx_program()
    assert program is not None

    def command(port: int) -> Sequence[str]:
        settings = folder / "nginx.conf"
        settings.write_text(_NGINX.format(port=port, upstream=upstream, folder=folder), "utf-8")
        return (program, "-e", "stderr", "-p", str(folder), "-c", str(settings))

    with gateway("nginx", command, ready="mock", within_s=10, folder=folder) as running:
        yield running


@contextlib.contextmanager
def litellm(upstream: int, models: Sequence[str], folder: Path) -> Generator[Gateway]:
    """Without database, telemetry and the list of prices it would fetch; in an empty environment, so that no key of the user's is seen."""
    settings = folder / "litellm.yaml"
    lines = ["model_list:"]
    for model in models:
        lines += [
            f"  - model_name: {model}",
            "    litellm_params:",
            f"      model: openai/{model}",
            f"      api_base: http://127.0.0.1:{upstream}/v1",
            "      api_key: sk-upstream",
        ]
    lines += ["general_settings:", f"  master_key: {KEY}", "litellm_settings:", "  telemetry: false", ""]
    settings.write_text("\n".join(lines), "utf-8")

    def command(port: int) -> Sequence[str]:
        return (
            "/usr/bin/env", "-i", f"HOME={folder}", "PATH=/usr/bin:/bin", "LITELLM_LOCAL_MODEL_COST_MAP=True",
            "LITELLM_TELEMETRY=False", "LITELLM_LOG=ERROR",
            str(_LITELLM_PROGRAM), "--config", str(settings), "--host", "127.0.0.1", "--port", str(port),
            "--num_workers", "1", "--telemetry", "False",
        )  # fmt: skip

    with gateway("litellm", command, ready="mock", within_s=90, folder=folder) as running:
        yield running


@contextlib.contextmanager
def seekway(
    name: str, settings: Mapping[str, object], folder: Path, ready: str = "mock", without: str = ""
) -> Generator[Gateway]:
    """``seekway gateway`` with exactly ``settings``; whatever the environment says of keys and files is kept from it.

    ``ready`` is the model it must list, ``without`` a part of :mod:`benchmarks.gateway.without` that is taken out.
    """
    with gateway(
        name,
        lambda port: (*_seekway(name, settings, folder, without), "gateway", "--port", str(port)),
        ready=ready,
        within_s=60,
        folder=folder,
    ) as running:
        yield running


def refusal(settings: Mapping[str, object], folder: Path) -> str | None:
    """Why today's Seekway does not take ``settings``; None when it does."""
    told = subprocess.run(
        (*_seekway("check", settings, folder), "config", "check"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        cwd=folder,
        timeout=60,
        check=False,
    )
    if told.returncode == 0:
        return None
    # "seekway: FILE, line 2: what is wrong."; the file is ours and is gone when this is read.
    return re.split(r"\.toml(?:, line \d+)?: ", told.stderr.strip().splitlines()[-1])[-1].rstrip(".")


def over_mock(ports: Sequence[int], settings: Table, models: Sequence[str] = ()) -> Table:
    """The least settings: one backend for each port, with ``settings`` each, and no model of our own.

    Backend ``i`` serves ``models[i]`` alone, or whatever the mock upstream lists where no models are given.
    """
    backends: list[Table] = []
    for number, port in enumerate(ports):
        backend: Table = {"name": f"mock-{number}", "base_url": f"http://127.0.0.1:{port}/v1", **settings}
        if models:
            backend["models"] = [models[number]]
        backends.append(backend)
    return {"model_service": {"enabled": False}, "backends": backends}


def with_settings(base: Mapping[str, object], *more: Mapping[str, object]) -> Table:
    merged: Table = dict(base)
    for settings in more:
        merged = merge(merged, settings)
    return merged


def _seekway(name: str, settings: Mapping[str, object], folder: Path, without: str = "") -> tuple[str, ...]:
    path = folder / f"{name.replace(' ', '-').replace('/', '-')}.toml"
    path.write_text(dump(settings), "utf-8")
    program = ("benchmarks.gateway.without", without) if without else ("seekway.app",)
    return (
        "/usr/bin/env", "-i", f"HOME={folder}", "PATH=/usr/bin:/bin", "NO_COLOR=1", f"PYTHONPATH={_ROOT}",
        sys.executable, "-m", *program, "--config", str(path),
    )  # fmt: skip
