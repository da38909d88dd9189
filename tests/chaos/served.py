"""A real ``seekway gateway`` or ``seekway up`` as a child process, started as users start it."""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from tests.chaos.load import WAIT_S

START_S = 120.0
END_S = 60.0
_ADDRESS = re.compile(r"on http://(127\.0\.0\.1:\d+)")


class Served:
    """``command`` is what follows ``seekway``; ``prefix`` goes before it, e.g. ``env NAME=value``.

    What it says is kept in ``lines``; where ``log`` is given it goes to that file, and is read from there as it grows.
    """

    def __init__(
        self, folder: Path, command: Sequence[str], prefix: Sequence[str] = (), log: Path | None = None
    ) -> None:
        self.lines: list[str] = []
        self.address = ""
        self._folder = folder
        self._argv = [*prefix, sys.executable, "-m", "seekway.app", *command]
        self._log = log
        self._process: asyncio.subprocess.Process | None = None
        self._tail: asyncio.subprocess.Process | None = None
        # Held here and awaited in end(): it reads what the process says, to its end.
        self._reader: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._started: list[psutil.Process] = []

    async def __aenter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            self._process = await asyncio.create_subprocess_exec(
                *self._argv,
                cwd=self._folder,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=stack.enter_context(self._log.open("ab")) if self._log else asyncio.subprocess.PIPE,
                start_new_session=True,
            )
        said = self._process.stderr
        if self._log is not None:
            self._tail = await asyncio.create_subprocess_exec(
                "tail",
                "-n",
                "+1",
                "-F",
                str(self._log),
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
            )
            said = self._tail.stdout
        assert said
        self._reader = asyncio.get_running_loop().create_task(self._read(said))
        try:
            await self.says("on http://", START_S)
        except BaseException:
            await self.end()
            raise
        found = _ADDRESS.search("\n".join(self.lines))
        assert found, self.lines
        self.address = found[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.end()

    async def says(self, text: str, within_s: float = WAIT_S, times: int = 1) -> None:
        """Until ``times`` lines hold ``text``."""
        try:
            async with asyncio.timeout(within_s):
                while sum(text in line for line in self.lines) < times:
                    assert self._reader is not None
                    if self._reader.done():
                        raise AssertionError(f"It ended before it said {text!r}:\n" + "\n".join(self.lines[-20:]))
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(
                f"{text!r} was not said in {within_s:.0f} s:\n" + "\n".join(self.lines[-20:])
            ) from None

    def signal(self, sig: signal.Signals) -> None:
        assert self._process
        self._process.send_signal(sig)

    def children(self) -> list[psutil.Process]:
        """Every process below this one."""
        assert self._process
        with contextlib.suppress(psutil.NoSuchProcess):
            self._started = psutil.Process(self._process.pid).children(recursive=True)
        return self._started

    def gateways(self) -> list[psutil.Process]:
        return [child for child in self.children() if "--worker" in child.cmdline()]

    def child(self, word: str) -> psutil.Process:
        return next(child for child in self.children() if word in child.cmdline())

    async def ended(self, within_s: float = END_S) -> int:
        """The exit status, once it has ended by itself."""
        assert self._process
        async with asyncio.timeout(within_s):
            return await self._process.wait()

    async def end(self) -> None:
        """SIGTERM; what does not end is killed, and so is what it leaves behind."""
        process = self._process
        if process is None:
            return
        children = self.children() if process.returncode is None else self._started
        try:
            if process.returncode is None:
                process.terminate()
                async with asyncio.timeout(END_S):
                    await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
        finally:
            for child in children:
                with contextlib.suppress(psutil.NoSuchProcess):
                    child.kill()
            if self._tail is not None and self._tail.returncode is None:
                self._tail.kill()
                await self._tail.wait()
            if self._reader is not None:
                await self._reader

    async def _read(self, stderr: asyncio.StreamReader) -> None:
        async for line in stderr:
            self.lines.append(line.decode(errors="replace").rstrip("\n"))
            self._changed.set()
        self._changed.set()
