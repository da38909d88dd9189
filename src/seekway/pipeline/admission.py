"""The flow of a request one of whose stages waits for somebody."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Protocol

from seekway.core.errors import SeekwayError, unforeseen
from seekway.core.ports import Flow
from seekway.core.types import GenerateRequest


class _Fails(Protocol):
    def fail(self, error: SeekwayError, /) -> None: ...


class Admission:
    """A task of its own until the request is admitted; from then on the flow that ``go`` begins.

    ``waited`` is what the stage waits for, and ``rest`` awaits it and runs the stages after it.
    """

    def __init__(
        self,
        waited: Awaitable[GenerateRequest],
        rest: Callable[[], Awaitable[GenerateRequest]],
        go: Callable[[GenerateRequest], Flow],
        sink: _Fails,
    ) -> None:
        self._waited = waited
        self._flow: Flow | None = None
        self._begun = False
        self._paused = False
        # Not in a task group: it is this flow's, and ends with it.
        self._task = asyncio.get_running_loop().create_task(self._wait(rest, go, sink))

    def pause(self) -> None:
        self._paused = True
        if self._flow is not None:
            self._flow.pause()

    def resume(self) -> None:
        self._paused = False
        if self._flow is not None:
            self._flow.resume()

    def cancel(self) -> None:
        if self._flow is not None:
            self._flow.cancel()
            return
        self._task.cancel()
        if not self._begun and inspect.iscoroutine(self._waited):
            # A task cancelled before its first step never comes to what it was to await.
            self._waited.close()

    async def _wait(
        self, rest: Callable[[], Awaitable[GenerateRequest]], go: Callable[[GenerateRequest], Flow], sink: _Fails
    ) -> None:
        self._begun = True
        try:
            self._flow = go(await rest())
        except SeekwayError as error:
            sink.fail(error)
        except Exception as error:  # noqa: BLE001 - the task's edge: the client must hear of it
            sink.fail(unforeseen(error))
        else:
            if self._paused:
                self._flow.pause()
