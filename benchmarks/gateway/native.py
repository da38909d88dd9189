"""Mock upstream and load clients: compiled when a benchmark begins, since they must cost less than what they measure."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import msgspec

SOURCES = Path(__file__).parent / "native"
CACHE = Path(__file__).parents[2] / ".cache" / "bench"
_FLAGS = ("-std=c11", "-O2", "-Wall", "-Wextra")
_PROGRAMS = {
    "mock": ("mock.c", "due.c", "wire.c"),
    "chat": ("chat.c", "latencies.c", "wire.c"),
    "load": ("load.c", "answer.c", "request.c", "latencies.c", "wire.c"),
}


class CannotBuild(Exception):
    """No compiler, or it refused; the text says what to do."""


class Native(msgspec.Struct, frozen=True):
    mock: Path
    load: Path
    chat: Path


def build(cache: Path = CACHE) -> Native:
    """The programs, compiled unless the same sources were before. Linux only. Raises ``CannotBuild``."""
    compiler = _compiler()
    folder = cache / f"native-{_digest(compiler)}"
    found = Native(folder / "mock", folder / "load", folder / "chat")
    for name, sources in _PROGRAMS.items():
        if not (folder / name).exists():
            folder.mkdir(parents=True, exist_ok=True)
            compile_program(folder / name, [SOURCES / source for source in sources])
    return found


def compile_program(program: Path, sources: Sequence[Path]) -> None:
    """``sources`` into ``program``, with the benchmark's own headers. Raises ``CannotBuild``."""
    half = program.with_suffix(f".{os.getpid()}")
    done = subprocess.run(
        (_compiler(), *_FLAGS, "-I", SOURCES, "-o", half, *sources),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode != 0:
        raise CannotBuild(f"{program.name} could not be compiled: {done.stderr.strip()[-2000:]}")
    half.rename(program)  # whole or not there, whoever else compiles at the same time


def _compiler() -> str:
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise CannotBuild("No C compiler was found; install one (on Debian or Ubuntu: apt-get install gcc libc6-dev).")
    return compiler


def _digest(compiler: str) -> str:
    digest = hashlib.sha256(" ".join((compiler, *_FLAGS)).encode())
    for source in sorted(SOURCES.iterdir()):
        digest.update(source.name.encode() + source.read_bytes())
    return digest.hexdigest()[:16]
