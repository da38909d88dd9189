"""Runs served processes as children: starts them, restarts what dies, drains them in order at the end.

Children run in sessions of their own, so that Ctrl-C reaches the supervisor alone and it decides the order.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Sequence

from structlog.typing import FilteringBoundLogger

from seekway.app.status import Failed, Listening, Progress, Ready, Status, read_statuses
from seekway.core.errors import StartupError, error_from_code

_RESTART_DELAYS_S = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0)
_KILL_MARGIN_S = 5.0


class Child:
    """One supervised process.

    ``command`` is given the bound address of the last start, or None, and makes the argument list, so that a restart keeps its port;
    the status socket's descriptor is appended as ``--status-fd N``.
    """

    def __init__(
        self,
        name: str,
        command: Callable[[str | None], Sequence[str]],
        on_progress: Callable[[str, Progress], None],
        log: FilteringBoundLogger,
    ) -> None:
        self.name = name
        self.address: str | None = None
        self.restarts = 0
        self._command = command
        self._on_progress = on_progress
        self._log = log
        self._process: asyncio.subprocess.Process | None = None
        self._socket: socket.socket | None = None
        self._listening: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._stopping = False

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    async def listening(self) -> str:
        """The address, once bound; raises what the child said when it will not serve."""
        return await asyncio.shield(self._listening)

    async def ready(self) -> None:
        await asyncio.shield(self._ready)

    async def run(self) -> None:
        """Keep the child alive until :meth:`stop`; returns early only when its first start fails."""
        failures = 0
        while not self._stopping:
            served = await self._run_once()
            if self._stopping:
                return
            if not self._ready.done() or self._ready.exception() is not None:
                return
            failures = 0 if served else failures + 1
            self.restarts += 1
            delay = _RESTART_DELAYS_S[min(failures, len(_RESTART_DELAYS_S) - 1)]
            self._log.error("process_died", process=self.name, delay_s=delay, restarts=self.restarts)
            await asyncio.sleep(delay)

    def signal(self, sig: signal.Signals) -> None:
        """Pass ``sig`` on to a process that lives."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(sig)

    async def stop(self, drain_s: float) -> None:
        """SIGTERM, wait ``drain_s`` for running requests, then SIGKILL; returns when it is reaped."""
        self._stopping = True
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), drain_s + _KILL_MARGIN_S)
        except TimeoutError:
            self._log.error("process_killed_at_drain", process=self.name)
            self.kill()
            await process.wait()

    def kill(self) -> None:
        self._stopping = True
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    async def _run_once(self) -> bool:
        """One life of the process; True when it reached ready."""
        ours, theirs = socket.socketpair()
        with theirs:
            argv = [*self._command(self.address), "--status-fd", str(theirs.fileno())]
            self._process = await asyncio.create_subprocess_exec(
                *argv, stdin=asyncio.subprocess.DEVNULL, pass_fds=(theirs.fileno(),), start_new_session=True
            )
        self._socket = ours
        reader, writer = await asyncio.open_connection(sock=ours)
        served = False
        try:
            async for status in read_statuses(reader):
                served = served or isinstance(status, Ready)
                self._take(status)
            code = await self._process.wait()
        finally:
            writer.close()
        if not self._stopping:
            self._fail(
                StartupError(f"The {self.name} ended with status {code} before it was ready; its log above says why.")
            )
        return served

    def _take(self, status: Status) -> None:
        match status:
            case Progress():
                self._on_progress(self.name, status)
            case Listening(address=address):
                self.address = address
                if not self._listening.done():
                    self._listening.set_result(address)
            case Ready():
                if not self._ready.done():
                    self._ready.set_result(None)
                elif self.restarts:
                    self._log.info("process_back", process=self.name, restarts=self.restarts)
            case Failed(code=code, message=message):
                self._fail(error_from_code(code, message))
                self._log.error("process_given_up", process=self.name, error=message)

    def _fail(self, error: Exception) -> None:
        """Tell whoever still waits for the first start; a later failure only leads to a restart."""
        for future in (self._listening, self._ready):
            if not future.done():
                future.set_exception(error)
                future.exception()  # retrieved: not everyone waits for both
