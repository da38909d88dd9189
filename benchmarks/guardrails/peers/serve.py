"""Answers a benchmark's questions on standard input, a JSON object a line; runs in the environment of whoever is measured.

Nothing but the standard library: each peer has an environment of its own, without Seekway in it.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol


class Scanner(Protocol):
    """``load`` takes the words to look for, whether it wants them or not; ``scan`` tells the kinds of what it finds."""

    version: str

    def load(self, words: Sequence[str]) -> None: ...

    def scan(self, text: str) -> list[str]: ...


def serve(make: Callable[[], Scanner]) -> None:
    scanner = make()
    for line in sys.stdin:
        question = json.loads(line)
        if question["do"] == "load":
            before, began = resident_mib(), time.process_time()
            scanner.load(question["words"])
            answer = {"s": time.process_time() - began, "mib": resident_mib() - before, "version": scanner.version}
        elif question["do"] == "time":
            answer = {"us": [cpu_us(scanner.scan, text, question["seconds"]) for text in question["texts"]]}
        else:
            answer = {"found": [scanner.scan(text) for text in question["texts"]]}
        print(json.dumps(answer), flush=True)


def cpu_us(scan: Callable[[str], object], text: str, seconds: float) -> float:
    """CPU time of one scan; as many as fill ``seconds``, after two that warm up."""
    scan(text)
    began = time.process_time()
    scan(text)
    times = max(3, int(seconds / max(time.process_time() - began, 1e-6)))
    began = time.process_time()
    for _ in range(times):
        scan(text)
    return (time.process_time() - began) / times * 1e6


def resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * 4096 / 1024 / 1024
