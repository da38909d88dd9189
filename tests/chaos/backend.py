"""A mock upstream as a child process, which can be killed, stopped and started again on its port."""

from __future__ import annotations

import asyncio
import signal
import sys
from types import TracebackType
from typing import Self

from tests.chaos.load import WAIT_S


class BackendProcess:
    """``async with BackendProcess("a") as backend``; ``taken`` are the numbers of the requests it took, in all its lives."""

    def __init__(self, name: str, interval_ms: float = 3.0) -> None:
        self.name = name
        self.taken: list[int] = []
        self.port = 0
        self._interval_ms = interval_ms
        self._process: asyncio.subprocess.Process | None = None
        # Held here and awaited in end(): it reads one process's output to its end.
        self._reader: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.kill()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def start(self) -> None:
        """Until it listens; on the port it had, if it had one."""
        command = ("-m", "tests.chaos.mock_upstream", "--port", str(self.port), "--interval-ms", str(self._interval_ms))
        process = await asyncio.create_subprocess_exec(
            sys.executable, *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout
        self._process = process
        self.port = int(await asyncio.wait_for(process.stdout.readline(), WAIT_S))
        self._reader = asyncio.get_running_loop().create_task(self._read(process.stdout))

    async def kill(self) -> None:
        """SIGKILL, and until all that it had said is read."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None:
            process.kill()
        await process.wait()
        if self._reader is not None:
            await self._reader

    def stop(self) -> None:
        """SIGSTOP: connections are made and nothing is answered."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._signal(signal.SIGCONT)

    async def reached(self, more: int) -> None:
        """Until ``more`` requests than now have come."""
        goal = len(self.taken) + more
        try:
            async with asyncio.timeout(WAIT_S):
                while len(self.taken) < goal:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(
                f"Waited {WAIT_S:.0f} s for {more} requests at {self.name}; {goal - len(self.taken)} are missing."
            ) from None

    def _signal(self, sig: signal.Signals) -> None:
        assert self._process
        self._process.send_signal(sig)

    async def _read(self, stdout: asyncio.StreamReader) -> None:
        async for line in stdout:
            if line.endswith(b"\n"):
                self.taken.append(int(line))
                self._changed.set()
