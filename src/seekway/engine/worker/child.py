"""One life of a worker process: spawn, load, requests, end. It is always reaped and its output always logged."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from typing import assert_never

import msgspec
from structlog.typing import FilteringBoundLogger

from seekway.core.errors import (
    BackendProtocolError,
    DeadlineExceeded,
    EngineCrashed,
    SeekwayError,
    StartupError,
    error_from_code,
)
from seekway.core.types import (
    EmbedRequest,
    EmbedResult,
    Event,
    GenerateRequest,
    ModelInfo,
    RerankRequest,
    RerankResult,
    TokenCount,
)
from seekway.engine.spec import LoadProgress, LocalModelSpec, encode_spec
from seekway.engine.worker.calls import PAUSE_AT, RESUME_AT, Answer, Call, ResultCall, StreamCall
from seekway.engine.worker.frames import (
    Beat,
    Cancel,
    Count,
    Counted,
    Embed,
    Embedded,
    Ended,
    Failed,
    Frame,
    FrameConnection,
    FromWorker,
    Generate,
    Listed,
    ListModels,
    LoadFailed,
    Pause,
    Progress,
    Ready,
    Rerank,
    Reranked,
    Resume,
    Streamed,
    from_worker_decoder,
)
from seekway.engine.worker.output import OutputLog


class WorkerLimits(msgspec.Struct, frozen=True):
    """How long a worker may be silent.

    ``hang_after_s`` bounds the silence of its loop while requests run; the loop is not the inference thread, which may be busy for long.
    ``stall_after_s`` bounds how long running requests may go without any event although the loop turns.
    ``kill_after_s`` is how long it may take to end after SIGTERM.
    """

    load_timeout_s: float = 1800.0
    hang_after_s: float = 30.0
    stall_after_s: float = 300.0
    kill_after_s: float = 5.0
    tick_s: float = 1.0


class WorkerChild:
    """A running worker. :meth:`started` makes it; ``gone`` is set, and every request failed, when it is no more."""

    def __init__(
        self, spec: LocalModelSpec, limits: WorkerLimits, progress: LoadProgress, log: FilteringBoundLogger
    ) -> None:
        self.gone = asyncio.Event()
        self.reason = ""
        self.rss_bytes = 0
        self.loaded: tuple[ModelInfo, ...] = ()
        self._spec = spec
        self._limits = limits
        self._progress = progress
        self._calls: dict[int, Call] = {}
        self._last_id = 0
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._disconnected = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._silent_ticks = 0
        self._stalled_ticks = 0
        self._output = OutputLog(spec.name, log)
        self._connection: FrameConnection[FromWorker]
        self._process: asyncio.subprocess.Process
        self._life: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        """It takes requests; False from the moment its pipe broke, before it is reaped."""
        return not self._disconnected.is_set() and not self.gone.is_set()

    @property
    def running(self) -> int:
        return len(self._calls)

    async def start(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Spawn and wait until the model is loaded; raises what the worker said, or ``StartupError`` when it just ended.

        When this raises or is cancelled the process is already reaped.
        """
        spec = encode_spec(self._spec)
        ours, theirs = socket.socketpair()
        with theirs:
            argv = [*command, "--fd", str(theirs.fileno()), "--spec", spec]
            try:
                self._process = await asyncio.create_subprocess_exec(
                    *argv,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=asyncio.subprocess.PIPE,
                    pass_fds=(theirs.fileno(),),
                    env=dict(environment),
                    # Ctrl-C in a terminal goes to the whole group; the worker ends when its service says so.
                    start_new_session=True,
                )
            except OSError as error:
                ours.close()
                raise StartupError(f"The worker {command[0]} cannot be started: {error.strerror}.") from error
        loop = asyncio.get_running_loop()
        ours.setblocking(False)
        self._connection = FrameConnection(from_worker_decoder(), self._received, self._lost)
        # Held by this object until the process is reaped; `stop` waits for it.
        self._life = loop.create_task(self._live())
        try:
            await loop.create_unix_connection(lambda: self._connection, sock=ours)
            async with asyncio.timeout(self._limits.load_timeout_s):
                await asyncio.shield(self._ready)
        except TimeoutError:
            await self.kill("it did not load in time")
            raise StartupError(
                f"{self._spec.name} was not loaded within {self._limits.load_timeout_s:.0f} s; take a smaller model or more cores."
            ) from None
        except SeekwayError:
            # It said why and ends by itself; killing it at once would cut off its log.
            await self._end_within(self._limits.kill_after_s)
            raise
        except BaseException:
            await self.kill("it was not needed any more")
            raise

    async def stop(self, drain_s: float) -> None:
        """Let requests finish for ``drain_s``, then SIGTERM, then SIGKILL; returns when it is reaped."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), drain_s)
        self._signal(signal.SIGTERM)
        await self._end_within(self._limits.kill_after_s)

    async def _end_within(self, bound_s: float) -> None:
        try:
            await asyncio.wait_for(self.gone.wait(), bound_s)
        except TimeoutError:
            await self.kill("it did not end in time")

    async def kill(self, reason: str) -> None:
        self.reason = self.reason or reason
        self._signal(signal.SIGKILL)
        await self.gone.wait()

    async def generate(self, request: GenerateRequest) -> AsyncGenerator[Event, None]:
        call = StreamCall()
        number = self._open(call)
        expiry = self._expire(call, request.deadline_s)
        try:
            self._connection.send(Generate(number, request))
            while (event := await call.next()) is not None:
                if call.paused and len(call.waiting) <= RESUME_AT:
                    call.paused = False
                    self._connection.send(Resume(number))
                yield event
        finally:
            self._close(number, expiry)

    async def embed(self, request: EmbedRequest) -> EmbedResult:
        answer = await self._ask(lambda number: Embed(number, request), request.deadline_s)
        if not isinstance(answer, Embedded):
            raise self._confused()
        return answer.result

    async def rerank(self, request: RerankRequest) -> RerankResult:
        answer = await self._ask(lambda number: Rerank(number, request), request.deadline_s)
        if not isinstance(answer, Reranked):
            raise self._confused()
        return answer.result

    async def count_tokens(self, request: GenerateRequest) -> TokenCount:
        answer = await self._ask(lambda number: Count(number, request), request.deadline_s)
        if not isinstance(answer, Counted):
            raise self._confused()
        return answer.result

    async def models(self, timeout_s: float) -> tuple[ModelInfo, ...]:
        """Raises ``DeadlineExceeded`` when the worker is too busy to say."""
        answer = await self._ask(ListModels, timeout_s)
        if not isinstance(answer, Listed):
            raise self._confused()
        return answer.models

    async def _ask(self, frame: Callable[[int], Frame], deadline_s: float | None) -> Answer:
        call = ResultCall()
        number = self._open(call)
        expiry = self._expire(call, deadline_s)
        try:
            self._connection.send(frame(number))
            return await call.answer
        finally:
            self._close(number, expiry)

    def _confused(self) -> SeekwayError:
        return BackendProtocolError(f"The worker of {self._spec.name} answered something else than it was asked.")

    def _open(self, call: Call) -> int:
        if not self.alive:
            raise self._crashed()
        if not self._calls:
            self._silent_ticks = self._stalled_ticks = 0
        self._idle.clear()
        self._last_id += 1
        self._calls[self._last_id] = call
        return self._last_id

    def _expire(self, call: Call, deadline_s: float | None) -> asyncio.TimerHandle | None:
        if deadline_s is None:
            return None
        error = DeadlineExceeded("The answer was not finished within the request's deadline; allow more time.")
        return asyncio.get_running_loop().call_later(max(deadline_s, 0.0), call.fail, error)

    def _close(self, number: int, expiry: asyncio.TimerHandle | None) -> None:
        """Forget the call; while the pipe has not ended it, the worker still works on it and is told to stop."""
        if expiry is not None:
            expiry.cancel()
        if self._pop(number) is not None:
            self._connection.send(Cancel(number))

    def _pop(self, number: int) -> Call | None:
        call = self._calls.pop(number, None)
        if not self._calls:
            self._idle.set()
        return call

    def _received(self, message: FromWorker) -> None:
        self._silent_ticks = 0
        match message:
            case Streamed():
                self._feed(message)
            case Beat():
                self.rss_bytes = message.rss_bytes
            case Progress():
                self._progress(message.step, message.fraction)
            case Ready():
                self.loaded = message.models
                if not self._ready.done():
                    self._ready.set_result(None)
            case LoadFailed():
                if not self._ready.done():
                    self._ready.set_exception(error_from_code(message.code, message.message))
            case Ended() | Embedded() | Reranked() | Counted() | Listed() | Failed():
                self._finish(message)
            case _:
                assert_never(message)

    def _feed(self, message: Streamed) -> None:
        self._stalled_ticks = 0
        call = self._calls.get(message.id)
        if not isinstance(call, StreamCall):
            return  # cancelled while this was on its way
        call.feed(message.event)
        if not call.paused and len(call.waiting) >= PAUSE_AT:
            call.paused = True
            self._connection.send(Pause(message.id))

    def _finish(self, message: Ended | Embedded | Reranked | Counted | Listed | Failed) -> None:
        # Popped at once: an id that is gone from the table needs no Cancel.
        call = self._pop(message.id)
        if not isinstance(message, Listed):
            self._stalled_ticks = 0
        match message, call:
            case Failed(), StreamCall() | ResultCall():
                error = error_from_code(message.code, message.message, param=message.param)
                error.retry_after_s = message.retry_after_s
                call.fail(error)
            case Ended(), StreamCall():
                call.end()
            case ((Embedded() | Reranked() | Counted() | Listed()), ResultCall()):
                call.resolve(message)
            case _:
                pass  # cancelled while this was on its way

    def _lost(self, reason: str) -> None:
        self.reason = self.reason or reason
        self._disconnected.set()
        self._fail_calls()

    def _fail_calls(self) -> None:
        calls, self._calls = self._calls, {}
        self._idle.set()
        for call in calls.values():
            call.fail(self._crashed())

    def _crashed(self) -> SeekwayError:
        return EngineCrashed(
            f"The worker of {self._spec.name} ended ({self.reason}) and is restarted; send the request again.",
            retry_after_s=1.0,
        )

    async def _live(self) -> None:
        """From spawn to reaping."""
        process = self._process
        output = [
            asyncio.get_running_loop().create_task(
                self._output.read(stream, name, process.pid)
            )  # ended below, before this task is
            for stream, name in ((process.stdout, "stdout"), (process.stderr, "stderr"))
            if stream is not None
        ]
        ended = asyncio.get_running_loop().create_task(process.wait())
        disconnected = asyncio.get_running_loop().create_task(self._disconnected.wait())
        watch = asyncio.get_running_loop().create_task(self._watch())
        await asyncio.wait((ended, disconnected, watch), return_when=asyncio.FIRST_COMPLETED)
        watch.cancel()
        if not ended.done():
            # A worker without its pipe is of no use, however well it feels.
            await asyncio.wait((ended,), timeout=self._limits.kill_after_s if disconnected.done() else 0.0)
            self._signal(signal.SIGKILL)
            await ended
        disconnected.cancel()
        await asyncio.wait(output, timeout=1.0)  # a grandchild may hold the pipes open
        for task in output:
            task.cancel()
        self._ended(process.returncode or 0)

    def _ended(self, status: int) -> None:
        said = _describe_end(status)
        if not self.reason or status < 0 or self._disconnected.is_set():
            self.reason = said if not self.reason or self.reason.startswith("the pipe") else self.reason
        self._connection.close()
        self._disconnected.set()
        self._fail_calls()
        if not self._ready.done():
            words = f" Its last words: {self._output.last_words}" if self._output.last_words else ""
            self._ready.set_exception(
                StartupError(f"The worker of {self._spec.name} ended while loading: {self.reason}.{words}")
            )
        self._ready.exception()  # retrieved: nobody may be waiting for it any more
        self.gone.set()

    async def _watch(self) -> None:
        """Returns when the worker hangs. Counts ticks, not seconds, so that a standstill of this process accuses nobody."""
        limits = self._limits
        while True:
            await asyncio.sleep(limits.tick_s)
            working = [call for call in self._calls.values() if not call.done]
            if not working:
                self._silent_ticks = self._stalled_ticks = 0
                continue
            self._silent_ticks += 1
            self._stalled_ticks = 0 if all(call.paused for call in working) else self._stalled_ticks + 1
            if self._silent_ticks * limits.tick_s >= limits.hang_after_s:
                self.reason = f"it was silent for {limits.hang_after_s:.0f} s"
                return
            if self._stalled_ticks * limits.tick_s >= limits.stall_after_s:
                self.reason = f"it made no progress for {limits.stall_after_s:.0f} s"
                return

    def _signal(self, number: signal.Signals) -> None:
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)


def _describe_end(status: int) -> str:
    if status == -signal.SIGKILL:
        return "killed by signal 9, perhaps for lack of memory"
    if status < 0:
        return f"killed by signal {-status}"
    return f"exit status {status}"
