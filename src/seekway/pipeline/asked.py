"""A backend of the asynchronous kind behind the port of questions: one task a question awaits it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Generic, TypeVar, cast

from seekway.core.errors import SeekwayError, unforeseen
from seekway.core.ports import AnswerSink, AskedBackend, Backend, Flow
from seekway.core.types import EmbedRequest, EmbedResult, GenerateRequest, RerankRequest, RerankResult, TokenCount

T = TypeVar("T")


class AwaitedBackend:
    """Our own model service, whose client is asynchronous by nature, and fakes."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def start_embed(self, request: EmbedRequest, sink: AnswerSink[EmbedResult]) -> Flow:
        return _Work(partial(self._backend.embed, request), sink)

    def start_rerank(self, request: RerankRequest, sink: AnswerSink[RerankResult]) -> Flow:
        return _Work(partial(self._backend.rerank, request), sink)

    def start_count(self, request: GenerateRequest, sink: AnswerSink[TokenCount]) -> Flow:
        return _Work(partial(self._backend.count_tokens, request), sink)


class _Work(Generic[T]):
    def __init__(self, work: Callable[[], Awaitable[T]], sink: AnswerSink[T]) -> None:
        # Not in a task group: it is the question's own, which whoever asked it ends.
        self._task = asyncio.get_running_loop().create_task(self._do(work, sink))

    def pause(self) -> None:
        """One answer is not held back."""

    def resume(self) -> None:
        """See :meth:`pause`."""

    def cancel(self) -> None:
        self._task.cancel()

    async def _do(self, work: Callable[[], Awaitable[T]], sink: AnswerSink[T]) -> None:
        try:
            result = await work()
        except SeekwayError as error:
            sink.fail(error)
        except Exception as error:  # noqa: BLE001 - the task's edge: whoever asked must hear of it
            sink.fail(unforeseen(error))
        else:
            sink.answer(result)


def asked_port(backend: Backend) -> AskedBackend:
    """``backend`` itself where it can push its answers."""
    if callable(getattr(backend, "start_embed", None)):
        return cast("AskedBackend", backend)
    return AwaitedBackend(backend)
