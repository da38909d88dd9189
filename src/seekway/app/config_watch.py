"""Notices that the files of a configuration have changed, and hands over what they say now."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

_LOOK_S = 1.0
Signature = tuple[tuple[str, int, int, int], ...]


class ConfigWatch:
    """Looks every second and at :meth:`hurry` (SIGHUP); ``on_change`` is called with nothing, awaited where it takes time, and must not raise.

    ``paths`` are asked for anew each time, since a new configuration may name other files.
    A file that is still being written is left until it looks the same twice.
    """

    def __init__(self, paths: Callable[[], Iterable[Path]], on_change: Callable[[], Awaitable[None] | None]) -> None:
        self._paths = paths
        self._on_change = on_change
        self._taken = signature(paths())
        self._hurried = asyncio.Event()

    def hurry(self) -> None:
        """Read again now, whether something seems to have changed or not."""
        self._hurried.set()

    async def run(self) -> None:
        """Until cancelled."""
        seen = self._taken
        while True:
            try:
                async with asyncio.timeout(_LOOK_S):
                    await self._hurried.wait()
            except TimeoutError:
                now = signature(self._paths())
                settled, seen = now == seen, now
                if now == self._taken or not settled:
                    continue
            self._hurried.clear()
            # What changes while it is being read counts as a change of its own; only files that were not named before are looked at afterwards.
            read = {entry[0]: entry for entry in signature(self._paths())}
            taking = self._on_change()
            if taking is not None:
                await taking
            self._taken = seen = tuple(read.get(entry[0], entry) for entry in signature(self._paths()))


def signature(paths: Iterable[Path]) -> Signature:
    """What changes with a file: when it was written, how long it is, which file it is. A file that is not there counts as such."""
    found: list[tuple[str, int, int, int]] = []
    for path in paths:
        try:
            stat = path.stat()
        except OSError:
            found.append((str(path), 0, 0, 0))
        else:
            found.append((str(path), stat.st_mtime_ns, stat.st_size, stat.st_ino))
    return tuple(found)
