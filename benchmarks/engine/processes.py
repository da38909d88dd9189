"""The processes that are measured: started, watched and always stopped here."""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import IO

import msgspec
import psutil

from benchmarks.engine.bare import Ask, Told
from seekway.core.settings import worker_environment
from seekway.engine.spec import LocalModelSpec, encode_spec

_START_S = 180.0
_STOP_S = 60.0
_GATEWAY = re.compile(r"is ready after [\d.]+ s on http://(\S+)")
_SERVICE = re.compile(r"gRPC\s+(\S+)")


class Usage(msgspec.Struct, frozen=True):
    """CPU seconds since their start and resident bytes of the processes of each role."""

    cpu: dict[str, float]
    rss: dict[str, int]


class BareProcess:
    """The bare engine; sleeps while nothing is asked."""

    def __init__(self, spec: LocalModelSpec) -> None:
        self._process = subprocess.Popen(
            (sys.executable, "-m", "benchmarks.engine.bare", encode_spec(spec)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=worker_environment(),
        )
        self.process = psutil.Process(self._process.pid)
        self._read()

    def answer(self, ask: Ask) -> Told:
        _open(self._process.stdin).write(msgspec.json.encode(ask) + b"\n")
        _open(self._process.stdin).flush()
        return self._read()

    def usage(self) -> Usage:
        return _usage([("bare", self.process)])

    def close(self) -> None:
        _open(self._process.stdin).close()
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        _open(self._process.stdout).close()

    def _read(self) -> Told:
        line = _open(self._process.stdout).readline()
        if not line:
            raise RuntimeError(f"the bare engine ended with status {self._process.wait()}")
        return msgspec.json.decode(line, type=Told)


@contextlib.contextmanager
def bare_engine(spec: LocalModelSpec) -> Generator[BareProcess]:
    bare = BareProcess(spec)
    try:
        yield bare
    finally:
        bare.close()


class Served:
    """A running ``seekway up``; ``ready_s`` from the start of its process to the line that says it is ready."""

    def __init__(self, process: subprocess.Popen[bytes], http: str, grpc: str, ready_s: float) -> None:
        self.http = http
        self.grpc = grpc
        self.ready_s = ready_s
        root = psutil.Process(process.pid)
        self._processes = [(_role(child), child) for child in (root, *root.children(recursive=True))]

    def usage(self) -> Usage:
        return _usage(self._processes)


@contextlib.contextmanager
def served() -> Generator[Served]:
    """``seekway up`` on free ports; drained and gone when the block is left, killed if it does not go."""
    with tempfile.NamedTemporaryFile(prefix="seekway-up-") as log:
        begun = time.monotonic()
        process = subprocess.Popen(
            (sys.executable, "-m", "seekway.app", "up", "--port", "0", "--grpc-port", "0"),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            http, grpc = asyncio.run(_addresses(process, Path(log.name), begun + _START_S))
            yield Served(process, http, grpc, time.monotonic() - begun)
        finally:
            _stop(process)


async def _addresses(process: subprocess.Popen[bytes], log: Path, until: float) -> tuple[str, str]:
    while time.monotonic() < until and process.poll() is None:
        said = _said(log)
        http, grpc = _GATEWAY.search(said), _SERVICE.search(said)
        if http is not None and grpc is not None:
            return http[1], grpc[1]
        await asyncio.sleep(0.01)
    raise RuntimeError(f"seekway up did not become ready: {_said(log)[-1000:]}")


def _said(log: Path) -> str:
    return log.read_text("utf-8", "replace")


def _stop(process: subprocess.Popen[bytes]) -> None:
    family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    process.send_signal(signal.SIGINT)
    _, left = psutil.wait_procs(family[1:], _STOP_S)
    for child in left:
        child.kill()
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _role(process: psutil.Process) -> str:
    words = process.cmdline()
    for word, role in (("seekway.app.worker", "worker"), ("gateway", "gateway"), ("model-server", "model service")):
        if word in words:
            return role
    return "supervisor"


def _usage(processes: Sequence[tuple[str, psutil.Process]]) -> Usage:
    """The embedding model has a worker of its own beside the other's, so that a role may have several."""
    cpu: dict[str, float] = {}
    rss: dict[str, int] = {}
    for role, process in processes:
        spent = process.cpu_times()
        cpu[role] = cpu.get(role, 0.0) + spent.user + spent.system
        rss[role] = rss.get(role, 0) + process.memory_info().rss
    return Usage(cpu, rss)


def _open(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None
    return pipe
