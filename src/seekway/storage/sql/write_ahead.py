"""Changing a SQLite file to a write-ahead log, which waits for nobody: of two processes that make one file, one would fail."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, TypeVar

T = TypeVar("T")
_PAUSE_S: Final = 0.01


def until_free(work: Callable[[], T], is_busy: Callable[[Exception], bool], most_s: float) -> T:
    """What ``work`` gives, tried again for ``most_s`` while its errors say that the file is another's. For threads that may wait."""
    until = time.monotonic() + most_s
    while True:
        try:
            return work()
        except Exception as error:
            if not is_busy(error) or time.monotonic() >= until:
                raise
        time.sleep(_PAUSE_S)  # noqa: TID251 - no event tells it
