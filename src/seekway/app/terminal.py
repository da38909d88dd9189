"""How commands talk to a person: colours where there is a terminal and NO_COLOR is not set, plain lines elsewhere.

Rich is imported by whoever shows something: processes that serve show nothing.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

_LINE_EVERY_S = 10.0
_WIDE = 200


def output() -> Console:
    """Standard output: what was asked for. Without a terminal no table is folded, so that lines can be searched."""
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True, markup=False)
    return console if console.is_terminal else Console(highlight=False, soft_wrap=True, markup=False, width=_WIDE)


def messages() -> Console:
    """Standard error: progress and notes, so that a pipe gets only what was asked for."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=True, markup=False)


def size(count: float) -> str:
    """Bytes as people read them, in powers of ten as disks and hubs count."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 999.5:
            return f"{count:.0f} {unit}" if count >= 99.5 or unit == "B" else f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"


class Bar:
    """One progress bar; without a terminal a line at the start, every ten seconds and at the end."""

    def __init__(self, console: Console, progress: Progress, title: str) -> None:
        self._console = console
        self._progress = progress
        self._task = progress.add_task(title, total=None)
        self._title = title
        self._last = 0.0
        self._ended = False

    def update(self, done: float, total: float, title: str | None = None) -> None:
        """``done`` of ``total``; a new ``title`` begins a new step."""
        if title is not None and title != self._title:
            self._title, self._last, self._ended = title, 0.0, False
        self._progress.update(self._task, completed=done, total=total, description=self._title)
        if not self._console.is_terminal and total > 0:
            self._line(done / total)

    def _line(self, fraction: float) -> None:
        now = time.monotonic()
        if self._ended or (fraction < 1 and now - self._last < _LINE_EVERY_S):
            return
        self._last, self._ended = now, fraction >= 1
        self._console.print(f"{self._title}: {fraction:.0%}")


@contextmanager
def bytes_bar(title: str) -> Generator[Bar]:
    """A bar for a download: bytes, speed, time left."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    console = messages()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        yield Bar(console, progress, title)


@contextmanager
def steps_bar(title: str) -> Generator[Bar]:
    """A bar for a computation: percent, time left."""
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    console = messages()
    columns = (
        TextColumn("{task.description:<36}"),
        BarColumn(bar_width=30),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        yield Bar(console, progress, title)


@contextmanager
def stop_on_signals() -> Generator[None]:
    """Let SIGTERM end a command as Ctrl-C does: with its clean-up, leaving no half file and no child."""

    def interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
