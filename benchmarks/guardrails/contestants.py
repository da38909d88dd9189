"""Who is measured: Seekway's detectors and the peers, each a process of its own that answers questions."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Literal, TypeVar

import msgspec

from benchmarks.guardrails.ours import NAMES

_HERE = Path(__file__).parent
_HOMES = Path(".cache/bench/guardrails")
_T = TypeVar("_T")

Looks = Literal["words", "personal", "secrets", "injections", "all"]
"""For what a contestant looks, and so which recall is asked of it."""


class Contestant(msgspec.Struct, frozen=True):
    name: str
    command: tuple[str, ...]
    looks: Looks
    ours: bool = False


class Loaded(msgspec.Struct, frozen=True):
    """CPU seconds and MiB that loading took."""

    s: float
    mib: float
    version: str


class _Timed(msgspec.Struct, frozen=True):
    us: list[float]


class _Found(msgspec.Struct, frozen=True):
    found: list[list[str]]


def contestants() -> tuple[list[Contestant], list[str]]:
    """Those that are installed, and the names of those that are not."""
    here = [
        Contestant(f"Seekway: {name}", (sys.executable, "-m", "benchmarks.guardrails.ours", name), looks, ours=True)
        for name, looks in NAMES.items()
    ]
    missing: list[str] = []
    peers: tuple[tuple[str, str, str, Looks], ...] = (
        ("pyahocorasick", "pyahocorasick", "ahocorasick_words.py", "words"),
        ("Presidio, patterns", "presidio", "presidio_patterns.py", "personal"),
        ("ai-injection-guard", "injection", "injection_scanner.py", "injections"),
    )
    for name, home, script, looks in peers:
        python = _HOMES / home / "bin/python"
        if python.exists():
            here.append(Contestant(name, (str(python), str(_HERE / "peers" / script)), looks))
        else:
            missing.append(name)
    return here, missing


class Running:
    """A contestant's process, asked one thing at a time."""

    def __init__(self, contestant: Contestant, pipe_in: IO[bytes], pipe_out: IO[bytes]) -> None:
        self.contestant = contestant
        self._in = pipe_in
        self._out = pipe_out

    def load(self, words: Sequence[str]) -> Loaded:
        return self._ask({"do": "load", "words": list(words)}, Loaded)

    def cpu_us(self, texts: Sequence[str], seconds: float) -> list[float]:
        """CPU time of one scan of each text."""
        return self._ask({"do": "time", "texts": list(texts), "seconds": seconds}, _Timed).us

    def found(self, texts: Sequence[str]) -> list[list[str]]:
        return self._ask({"do": "judge", "texts": list(texts)}, _Found).found

    def _ask(self, question: object, answer: type[_T]) -> _T:
        self._in.write(msgspec.json.encode(question) + b"\n")
        self._in.flush()
        line = self._out.readline()
        if not line:
            raise SystemExit(
                f"bench-guardrails: {self.contestant.name} ended without an answer; its reason stands above"
            )
        return msgspec.json.decode(line, type=answer)


@contextmanager
def running(contestant: Contestant) -> Generator[Running]:
    with subprocess.Popen(contestant.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield Running(contestant, process.stdin, process.stdout)
        finally:
            process.stdin.close()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
