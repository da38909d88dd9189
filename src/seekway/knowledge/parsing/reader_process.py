"""Foreign files are read in processes of their own.

A parser in C or Rust that a file makes crash, loop or grow takes only its own process with it, which holds no key, no database and none of our environment.
A thread could be neither bounded in memory nor ended. A process serves many files, for starting one takes longer than reading most files.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from typing import Final

import msgspec

from seekway.core.errors import DocumentUnreadable, InternalError, error_from_code
from seekway.knowledge.parsing.parsed import Bounds, Parsed
from seekway.knowledge.parsing.reader_child import LENGTH_BYTES, Answer, ReadTask

_MODULE: Final = "seekway.knowledge.parsing.reader_child"
_FILES_A_PROCESS: Final = 200
"""After so many it is ended, so that what a parser leaks comes back."""

_IDLE_S: Final = 20.0
"""For the next file to come before a process is ended, which holds 22 MB; another starts in 0.1 s."""

_LAST_S: Final = 5.0
"""For a process that has closed its pipe to be gone."""


class DocumentReader:
    """Reads at most ``processes`` files at a time, each within ``memory_mib`` of address space, ``seconds`` of processor time and three times as long by the clock.

    Processes are started when they are needed, and ended when for ``idle_s`` there is nothing to read. To be closed.
    """

    def __init__(
        self,
        *,
        processes: int = 1,
        memory_mib: int = 1536,
        seconds: int = 60,
        bounds: Bounds | None = None,
        idle_s: float = _IDLE_S,
    ) -> None:
        self._slots = asyncio.Semaphore(processes)
        self._memory_mib = memory_mib
        self._seconds = seconds
        self._bounds = bounds or Bounds()
        self._idle_s = idle_s
        self._idle: list[_Reader] = []
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder = msgspec.msgpack.Decoder(Answer)

    async def read(self, data: bytes, filename: str, mime: str | None = None) -> Parsed:
        """Raises ``DocumentUnreadable``. Cancelled, it ends the process."""
        if len(data) > self._bounds.bytes:
            raise DocumentUnreadable(
                f"{filename}: The file is longer than {self._bounds.bytes // 2**20} MiB; split it.", param="file"
            )
        task = self._encoder.encode(ReadTask(data, filename, mime, self._bounds))
        async with self._slots:
            reader = self._again() or await self._start()
            try:
                async with asyncio.timeout(3 * self._seconds):
                    frame = await reader.ask(task)
                answer = self._decoder.decode(frame)
            except TimeoutError as error:
                raise self._too_slow(filename) from error
            except (asyncio.IncompleteReadError, ConnectionError, msgspec.DecodeError) as error:
                raise self._ended(filename, await reader.end()) from error
            finally:
                if reader.usable:
                    self._rest(reader)
                else:
                    await reader.end()
        if answer.parsed is not None:
            return answer.parsed
        raise error_from_code(answer.code, answer.message, param="file")

    async def close(self) -> None:
        while (reader := self._again()) is not None:
            await reader.end()

    def _rest(self, reader: _Reader) -> None:
        self._idle.append(reader)
        reader.waiting = asyncio.get_running_loop().call_later(self._idle_s, self._retire, reader)

    def _again(self) -> _Reader | None:
        """The one that waits the shortest, so that the others come to their end."""
        if not self._idle:
            return None
        reader = self._idle.pop()
        if reader.waiting is not None:
            reader.waiting.cancel()
        return reader

    def _retire(self, reader: _Reader) -> None:
        # The loop itself reaps what it started.
        self._idle.remove(reader)
        reader.kill()

    async def _start(self) -> _Reader:
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-m", _MODULE, str(self._memory_mib), str(self._seconds)),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env={"LANG": "C.UTF-8"},
            )
        except OSError as error:
            raise InternalError(f"The process that reads documents cannot be started: {error.strerror}.") from error
        return _Reader(process)

    def _too_slow(self, filename: str) -> DocumentUnreadable:
        return DocumentUnreadable(f"{filename}: It takes longer than {self._seconds} s to read; split the file.")

    def _ended(self, filename: str, status: int) -> DocumentUnreadable:
        if status == -signal.SIGXCPU:
            return self._too_slow(filename)
        return DocumentUnreadable(
            f"{filename}: Its reader crashed on it, or needed more than {self._memory_mib} MiB; split the file or save it again."
        )


class _Reader:
    """One process; ``usable`` only while it has answered everything it was asked."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._files = 0
        self.usable = True
        self.waiting: asyncio.TimerHandle | None = None

    async def ask(self, task: bytes) -> bytes:
        """Raises ``IncompleteReadError`` or ``ConnectionError`` when the process ends."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None  # noqa: S101 - made with pipes
        assert stdout is not None  # noqa: S101 - as above
        self.usable = False
        stdin.write(len(task).to_bytes(LENGTH_BYTES) + task)
        await stdin.drain()
        length = int.from_bytes(await stdout.readexactly(LENGTH_BYTES))
        frame = await stdout.readexactly(length)
        self._files += 1
        self.usable = self._files < _FILES_A_PROCESS
        return frame

    def kill(self) -> None:
        self.usable = False
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def end(self) -> int:
        """Its exit status: what it ended with, else of being ended."""
        self.usable = False
        if self._process.stdout is not None and self._process.stdout.at_eof():
            # It is ending by itself; a signal now could take the status of what ended it.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LAST_S):
                    return await self._process.wait()
        self.kill()
        return await self._process.wait()
