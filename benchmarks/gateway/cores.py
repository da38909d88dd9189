"""Which processor core does what, and what a process and its children use of it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator

import msgspec
import psutil


class Cores(msgspec.Struct, frozen=True):
    """The gateway has its own core; mock upstream and load client share the other, or the others."""

    gateway: frozenset[int]
    load: frozenset[int]

    @classmethod
    def of_this_machine(cls) -> Cores:
        first, *others = sorted(os.sched_getaffinity(0))
        return cls(frozenset({first}), frozenset(others[:2]) or frozenset({first}))


@contextlib.contextmanager
def on(cores: frozenset[int]) -> Generator[None]:
    """What is started inside the block runs on ``cores``: a child inherits them, with all its threads."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class Tree:
    """A process with all its children."""

    def __init__(self, pid: int) -> None:
        self._root = psutil.Process(pid)

    def cpu_s(self) -> float:
        """User and system seconds since the start, to 0.01 s; of the children that are gone too, once they are waited for."""
        seconds = 0.0
        for process in self.alive():
            with contextlib.suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                seconds += times.user + times.system
        root = self._root.cpu_times()
        return seconds + root.children_user + root.children_system

    def rss(self) -> int:
        """Resident bytes; pages that the processes share are counted in each."""
        total = 0
        for process in self.alive():
            with contextlib.suppress(psutil.NoSuchProcess):
                total += process.memory_info().rss
        return total

    def move(self, cores: frozenset[int]) -> None:
        for process in self.alive():
            for thread in process.threads():
                os.sched_setaffinity(thread.id, cores)

    def wait(self, seconds: float) -> None:
        with contextlib.suppress(psutil.TimeoutExpired):
            self._root.wait(seconds)

    def remote_addresses(self) -> list[str]:
        """Where it is connected to outside this machine; a benchmark's contestants have no business there."""
        return [
            f"{connection.raddr.ip}:{connection.raddr.port}"
            for process in self.alive()
            for connection in process.net_connections("inet")
            if connection.raddr and connection.raddr.ip not in ("127.0.0.1", "::1")
        ]

    def alive(self) -> list[psutil.Process]:
        return [self._root, *self._root.children(recursive=True)]
