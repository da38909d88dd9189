"""Mock upstream and gateways as processes: started, found ready, and always stopped here."""

from __future__ import annotations

import contextlib
import http.client
import re
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path

import msgspec
import psutil

from benchmarks.gateway.cores import Tree

_STOP_S = 30.0
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class Refused(Exception):
    """The gateway ended before it served; the text is the last thing it said."""


class Gateway:
    """Something that answers on ``port``; ``tree`` is None where nothing stands between."""

    def __init__(self, name: str, port: int, tree: Tree | None = None) -> None:
        self.name = name
        self.port = port
        self.tree = tree

    def wait(self, seconds: float) -> None:
        """So long, or until its process ends."""
        if self.tree is not None:
            self.tree.wait(seconds)


class _Ports(msgspec.Struct, frozen=True):
    ports: tuple[int, ...]


@contextlib.contextmanager
def mock_upstream(program: Path, ports: int, models: Sequence[str]) -> Generator[tuple[int, ...]]:
    """Yields its ports; it ends when its standard input does, so that it cannot be left behind."""
    process = subprocess.Popen((program, str(ports), *models), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        yield msgspec.json.decode(process.stdout.readline(), type=_Ports).ports
    finally:
        process.terminate()
        process.communicate()


@contextlib.contextmanager
def gateway(
    name: str, command: Callable[[int], Sequence[str]], *, ready: str, within_s: float, folder: Path
) -> Generator[Gateway]:
    """Runs ``command(port)`` until the block is left; ready once ``/v1/models`` names the model ``ready``.

    Raises ``Refused`` when it ends before or is not ready within ``within_s`` seconds.
    """
    port = free_port()
    with tempfile.TemporaryFile(prefix=f"{name}-", dir=folder) as log:
        process = subprocess.Popen(
            command(port), stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, cwd=folder
        )
        try:
            until = time.monotonic() + within_s
            while not _serves(port, ready):
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(0.05)
                if process.returncode is not None or time.monotonic() > until:
                    log.seek(0)
                    raise Refused(_last_words(log.read().decode("utf-8", "replace")) or "it said nothing")
            yield Gateway(name, port, Tree(process.pid))
        finally:
            _stop(process)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def _serves(port: int, model: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/v1/models", headers={"Authorization": "Bearer sk-bench-0"})
        answer = connection.getresponse()
        return answer.status == 200 and model.encode() in answer.read()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _last_words(log: str) -> str:
    lines = [line for line in _COLOUR.sub("", log).splitlines() if line.strip()]
    return " ".join(lines[-3:])[-600:]


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    family = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_STOP_S)
    if process.poll() is None:
        process.kill()
        process.wait()
    _, left = psutil.wait_procs(family, 5)
    for child in left:
        child.kill()
