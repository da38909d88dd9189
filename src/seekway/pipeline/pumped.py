"""A backend of the asynchronous kind behind the pushed port: one task a generation drives it."""

from __future__ import annotations

import asyncio
from typing import cast

from seekway.core.errors import SeekwayError, unforeseen
from seekway.core.ports import Backend, EventSink, PushBackend
from seekway.core.streaming import closing
from seekway.core.types import GenerateRequest


class PumpedBackend:
    """Our own model service, whose client is asynchronous by nature, and fakes."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def start(self, request: GenerateRequest, sink: EventSink) -> Pump:
        return Pump(self._backend, request, sink)


class Pump:
    """Holds its task: the flow's maker cancels it, and a finished one is forgotten by the loop."""

    def __init__(self, backend: Backend, request: GenerateRequest, sink: EventSink) -> None:
        loop = asyncio.get_running_loop()
        self._sink = sink
        self._may_go = asyncio.Event()
        self._may_go.set()
        self._cancelled = False
        # Not in a task group: it is the flow's own, which whoever started it ends.
        self._task = loop.create_task(self._drive(backend, request))

    def pause(self) -> None:
        self._may_go.clear()

    def resume(self) -> None:
        self._may_go.set()

    def cancel(self) -> None:
        if not self._cancelled:
            self._cancelled = True
            if self._task is not asyncio.current_task():
                self._task.cancel()

    async def _drive(self, backend: Backend, request: GenerateRequest) -> None:
        try:
            async with closing(backend.generate(request)) as events:
                async for event in events:
                    if self._cancelled:
                        return
                    self._sink.feed((event,))
                    if not self._may_go.is_set():
                        await self._may_go.wait()
                    if self._cancelled:  # pyright: ignore[reportUnnecessaryComparison] - the sink may have cancelled
                        return
        except SeekwayError as error:
            if not self._cancelled:
                self._sink.fail(error)
            return
        except Exception as error:  # noqa: BLE001 - the task's edge: a backend that breaks its contract must not leave the client without an answer
            if not self._cancelled:
                self._sink.fail(unforeseen(error))
            return
        if not self._cancelled:
            self._sink.end()


def push_port(backend: Backend) -> PushBackend:
    """``backend`` itself where it can push."""
    if callable(getattr(backend, "start", None)):
        return cast("PushBackend", backend)
    return PumpedBackend(backend)
