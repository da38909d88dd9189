"""Running the load client: what a load looks like, and what came of it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import msgspec


class Latencies(msgspec.Struct, frozen=True):
    """Microseconds."""

    count: int
    mean: float
    p50: float
    p90: float
    p95: float
    p99: float
    p999: float
    max: float


class Loaded(msgspec.Struct, frozen=True):
    """``tokens`` are what the mock upstream sent one chunk each; ``events`` what came of them, fewer where a gateway joins chunks."""

    requests: int
    answered: int
    failed: int
    seconds: float
    tokens: int
    events: int
    bytes: int
    connects: int
    peak_open: int
    failures: dict[str, int]
    first_failure: str
    latency_us: Latencies
    first_token_us: Latencies


class Shape(msgspec.Struct, frozen=True):
    """A load. ``tokens`` above 0 streams that many, one every ``interval_us`` (0: as fast as possible).

    Either ``requests`` or ``seconds`` ends it. ``rate`` in requests a second sends them at their time, answered or not.
    ``burst`` begins one on each connection at once; ``same`` sends one and the same request again and again.
    """

    connections: int = 1
    requests: int | None = None
    seconds: float | None = None
    rate: float | None = None
    tokens: int = 0
    interval_us: int = 0
    burst: bool = False
    hold: bool = False
    same: bool = False
    body_bytes: int = 1024
    timeout_s: float = 30.0
    model: str = "mock"
    models_file: Path | None = None
    keys_file: Path | None = None
    key: str = "sk-bench-0"

    @property
    def model_name(self) -> str:
        """The mock upstream reads from a model's name how to stream."""
        return f"mock-{self.tokens}x{self.interval_us}" if self.tokens else self.model

    def longest_s(self) -> float:
        """After this the client hangs: whatever it waits for ends sooner."""
        streams = (self.requests or 0) / self.connections * self.tokens * self.interval_us / 1e6 if self.tokens else 0
        return (self.seconds or 0) + (self.requests or 0) / 20 + 2 * streams + self.timeout_s + 30


class LoadFailed(Exception):
    """The client itself could not run; failed requests are counted in ``Loaded`` instead."""


class LoadClient:
    """No two loads carry the same numbers, so that no cache knows a request of an earlier one."""

    def __init__(self, program: Path) -> None:
        self._program = program
        self._first = 1

    def run(self, port: int, shape: Shape, on_open: Callable[[], None] | None = None) -> Loaded:
        """``on_open`` is called when all streams of a ``hold`` are open at once. Raises ``LoadFailed``."""
        process = subprocess.Popen(
            (self._program, *self._arguments(port, shape)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert process.stdout is not None
        try:
            if shape.hold and on_open is not None:
                line = process.stdout.readline()
                if b'"open"' not in line:
                    return self._end(process, line)
                on_open()
            out, problem = process.communicate(timeout=shape.longest_s())
        except BaseException:
            process.kill()
            process.communicate()
            raise
        if process.returncode != 0:
            raise LoadFailed(problem.decode("utf-8", "replace").strip() or f"it ended with {process.returncode}")
        loaded = msgspec.json.decode(out, type=Loaded)
        self._first += loaded.requests
        return loaded

    def _end(self, process: subprocess.Popen[bytes], line: bytes) -> Loaded:
        _, problem = process.communicate(timeout=10)
        if not line:
            raise LoadFailed(problem.decode("utf-8", "replace").strip())
        loaded = msgspec.json.decode(line, type=Loaded)
        self._first += loaded.requests
        return loaded

    def _arguments(self, port: int, shape: Shape) -> list[str]:
        given = {
            "port": port,
            "connections": shape.connections,
            "requests": shape.requests,
            "seconds": shape.seconds,
            "rate": shape.rate,
            "stream": shape.tokens or None,
            "body-bytes": shape.body_bytes,
            "timeout": shape.timeout_s,
            "first": self._first,
            "model": None if shape.models_file else shape.model_name,
            "models": shape.models_file,
            "key": None if shape.keys_file else shape.key,
            "keys": shape.keys_file,
        }
        arguments = [text for name, value in given.items() if value is not None for text in (f"--{name}", str(value))]
        return arguments + [f"--{name}" for name in ("burst", "hold", "same") if getattr(shape, name)]
