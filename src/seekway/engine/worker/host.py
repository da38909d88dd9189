"""The worker's side of the pipe: loads one model, then runs what the frames ask for."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Awaitable, Callable
from typing import assert_never

from structlog.typing import FilteringBoundLogger

from seekway.core.errors import BackendUnavailable, EngineCrashed, InternalError, SeekwayError, StartupError
from seekway.core.ports import Backend
from seekway.core.streaming import closing
from seekway.engine.spec import LoadProgress
from seekway.engine.worker.frames import (
    Beat,
    Cancel,
    Count,
    Counted,
    Embed,
    Embedded,
    Ended,
    Failed,
    FrameConnection,
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
    ToWorker,
    to_worker_decoder,
)
from seekway.engine.worker.memory import resident_bytes

Load = Callable[[LoadProgress], Awaitable[Backend]]
BEAT_S = 1.0
DRAIN_S = 20.0


async def serve_worker(backend: Backend, pipe: socket.socket, log: FilteringBoundLogger) -> None:
    """Serve ``backend`` over ``pipe`` until the service is gone or SIGTERM has drained it; closes the backend."""

    async def loaded(_progress: LoadProgress) -> Backend:
        return backend

    await run_worker(loaded, pipe, log)


async def run_worker(
    load: Load, pipe: socket.socket, log: FilteringBoundLogger, abandoned: Callable[[], object] | None = None
) -> int:
    """Load a model, passing its progress on, and serve it; returns the process's exit status.

    A ``SeekwayError`` while loading is sent as a typed frame and yields 1. So does an engine that crashes without taking the process
    with it: once a request fails with ``EngineCrashed`` the others get their errors, and the service starts a new worker. The pipe's end stops everything, also a load;
    ``abandoned`` is called at that moment, for what must end even when a load or an engine does not.
    """
    host = _Host(log, abandoned)
    connection = await host.connect(pipe)
    loop = asyncio.get_running_loop()
    with contextlib.suppress(NotImplementedError):
        loop.add_signal_handler(signal.SIGTERM, host.stop)
    beat = loop.create_task(_beat(connection))  # held here and cancelled below: it outlives the group of requests
    try:
        backend = await host.loaded(load)
        if backend is None:
            return host.status
        try:
            await host.serve(backend)
        finally:
            if host.status:
                # The service takes the pipe's end as the worker's; a crashed engine may not be able to close.
                connection.close()
            await backend.close()
        return host.status
    finally:
        beat.cancel()
        connection.close()


async def _beat(connection: FrameConnection[ToWorker]) -> None:
    while True:
        connection.send(Beat(resident_bytes()))
        await asyncio.sleep(BEAT_S)


class _Host:
    """The requests in flight, by id."""

    def __init__(self, log: FilteringBoundLogger, abandoned: Callable[[], object] | None) -> None:
        self.status = 0
        self._log = log
        self._abandoned = abandoned
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._paused: dict[int, asyncio.Event] = {}
        self._backend: Backend | None = None
        self._group: asyncio.TaskGroup | None = None
        self._stopping = asyncio.Event()
        self._gone = asyncio.Event()
        self._connection: FrameConnection[ToWorker]

    async def connect(self, pipe: socket.socket) -> FrameConnection[ToWorker]:
        pipe.setblocking(False)
        self._connection = FrameConnection(to_worker_decoder(), self._received, self._lost)
        await asyncio.get_running_loop().create_unix_connection(lambda: self._connection, sock=pipe)
        return self._connection

    def stop(self) -> None:
        """Finish what runs, take nothing new."""
        self._stopping.set()

    async def loaded(self, load: Load) -> Backend | None:
        """The loaded backend; None when it could not be loaded (said in a frame) or nobody waits for it any more."""
        loop = asyncio.get_running_loop()

        def progress(step: str, fraction: float) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: the load outlived its reader
                loop.call_soon_threadsafe(self._connection.send, Progress(step, fraction))

        loading = loop.create_task(
            _attempt(load, progress, self._log)
        )  # held here: the pipe's end must be able to cancel it
        stopped = loop.create_task(self._stopping.wait())
        await asyncio.wait((loading, stopped), return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if not loading.done():
            loading.cancel()
            await asyncio.wait((loading,))
            return None
        outcome = loading.result()
        if isinstance(outcome, SeekwayError):
            self.status = 1
            self._connection.send(LoadFailed(outcome.code, outcome.message))
            return None
        return outcome

    async def serve(self, backend: Backend) -> None:
        async with asyncio.TaskGroup() as group:
            self._backend, self._group = backend, group
            self._connection.send(Ready(await backend.models()))
            await self._stopping.wait()
            self._backend = None
            running = list(self._tasks.values())
            if running and not self._gone.is_set():
                gone = asyncio.get_running_loop().create_task(self._gone.wait())  # held for the wait below
                finished = asyncio.gather(*running, return_exceptions=True)
                await asyncio.wait((gone, finished), timeout=DRAIN_S, return_when=asyncio.FIRST_COMPLETED)
                gone.cancel()
                finished.cancel()
            for task in running:
                task.cancel()

    def _lost(self, _reason: str) -> None:
        self._gone.set()
        self._stopping.set()
        if self._abandoned is not None:
            self._abandoned()

    def _received(self, message: ToWorker) -> None:
        match message:
            case Cancel():
                if (task := self._tasks.get(message.id)) is not None:
                    task.cancel()
            case Pause():
                if message.id in self._tasks:
                    self._paused.setdefault(message.id, asyncio.Event())
            case Resume():
                if (paused := self._paused.pop(message.id, None)) is not None:
                    paused.set()
            case Generate() | Embed() | Rerank() | Count() | ListModels():
                if self._backend is None or self._group is None:
                    error = BackendUnavailable("The model's worker is stopping; send the request again.")
                    self._fail(message.id, error)
                    return
                task = self._group.create_task(self._run(message, self._backend))
                self._tasks[message.id] = task
            case _:
                assert_never(message)

    async def _run(self, message: Generate | Embed | Rerank | Count | ListModels, backend: Backend) -> None:
        try:
            match message:
                case Generate():
                    await self._stream(message, backend)
                    self._connection.send(Ended(message.id))
                case Embed():
                    self._connection.send(Embedded(message.id, await backend.embed(message.request)))
                case Rerank():
                    self._connection.send(Reranked(message.id, await backend.rerank(message.request)))
                case Count():
                    self._connection.send(Counted(message.id, await backend.count_tokens(message.request)))
                case ListModels():
                    self._connection.send(Listed(message.id, await backend.models()))
        except SeekwayError as error:
            self._fail(message.id, error)
            if isinstance(error, EngineCrashed):
                self._log.error("engine_crashed", error=error.message)
                self.status = 1
                self.stop()
        except Exception:  # noqa: BLE001 - the process's edge: one request's bug must not end the others
            self._log.exception("request_failed")
            self._fail(message.id, InternalError("The model's worker failed on this request; its log says why."))
        finally:
            self._tasks.pop(message.id, None)
            self._paused.pop(message.id, None)

    async def _stream(self, message: Generate, backend: Backend) -> None:
        connection = self._connection
        async with closing(backend.generate(message.request)) as events:
            async for event in events:
                connection.send(Streamed(message.id, event))
                if connection.behind:
                    await connection.writable()
                if (paused := self._paused.get(message.id)) is not None:
                    await paused.wait()

    def _fail(self, request: int, error: SeekwayError) -> None:
        self._connection.send(Failed(request, error.code, error.message, error.param, error.retry_after_s))


async def _attempt(load: Load, progress: LoadProgress, log: FilteringBoundLogger) -> Backend | SeekwayError:
    try:
        return await load(progress)
    except SeekwayError as error:
        return error
    except MemoryError:
        return StartupError("The model does not fit into memory; take a smaller one or a smaller KV cache.")
    except Exception as error:
        log.exception("model_not_loaded")
        kind = type(error).__name__
        return StartupError(f"The model could not be loaded ({kind}: {error}); the log has the details.")
