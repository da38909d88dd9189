"""The Protocols the layers talk through; each has its fake under ``tests/fakes``."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol, TypeVar

from seekway.core.errors import SeekwayError
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

T_contra = TypeVar("T_contra", contravariant=True)


class Backend(Protocol):
    """Something that serves models: a local model, the worker's pipe, the gRPC client or another OpenAI-compatible server.

    Every method raises only :class:`seekway.core.errors.SeekwayError` (and ``asyncio.CancelledError`` when its task is cancelled).
    """

    def generate(self, request: GenerateRequest) -> AsyncIterator[Event]:
        """Stream deltas, then one ``Usage``, then one ``Finish``.

        Closing the iterator (``aclose``) or cancelling the task that drives it stops the work and frees its slot at once,
        also while the request is still queued.
        """
        ...

    async def embed(self, request: EmbedRequest) -> EmbedResult: ...

    async def rerank(self, request: RerankRequest) -> RerankResult: ...

    async def count_tokens(self, request: GenerateRequest) -> TokenCount:
        """The tokens of the prompt that ``request.messages`` and its tools become; nothing is generated.

        Raises what :meth:`generate` raises for a request that it refuses; a count that is not exact says so.
        """
        ...

    async def models(self) -> tuple[ModelInfo, ...]:
        """What is served now, with fresh figures; raises ``BackendUnavailable`` when the backend cannot be asked."""
        ...

    async def close(self) -> None:
        """Stop taking work, release connections and processes; safe to call twice."""
        ...


class EventSink(Protocol):
    """Where the events of one generation go, on the event loop's own thread, in the order that :meth:`Backend.generate` has them.

    After any number of ``feed`` exactly one of ``end`` and ``fail`` is called, once, and nothing after it.
    None of the three raises, and none is called before the ``start`` that was given the sink has returned.
    """

    def feed(self, events: Sequence[Event], /) -> None: ...

    def end(self) -> None:
        """The stream is whole: ``Usage`` and ``Finish`` were fed."""
        ...

    def fail(self, error: SeekwayError, /) -> None: ...


class Flow(Protocol):
    """The handle of one generation under way; every method may be called at any time, also from within the sink and after the end."""

    def pause(self) -> None:
        """Hold back: the reader is slow. What is already on its way may still be fed."""
        ...

    def resume(self) -> None: ...

    def cancel(self) -> None:
        """Stop the work and free its slot at once; the sink hears nothing more."""
        ...


class AnswerSink(Protocol[T_contra]):
    """Where the one answer to a question goes, on the event loop's own thread: exactly one of the two is called, once, and not before the ``start`` has returned."""

    def answer(self, result: T_contra, /) -> None: ...

    def fail(self, error: SeekwayError, /) -> None: ...


class AskedBackend(Protocol):
    """A backend that answers questions from the event loop's callbacks, without a task each; none of these raises.

    A :class:`Backend` without it is awaited by one task a question in its place.
    """

    def start_embed(self, request: EmbedRequest, sink: AnswerSink[EmbedResult], /) -> Flow: ...

    def start_rerank(self, request: RerankRequest, sink: AnswerSink[RerankResult], /) -> Flow: ...

    def start_count(self, request: GenerateRequest, sink: AnswerSink[TokenCount], /) -> Flow:
        """See :meth:`Backend.count_tokens`."""
        ...


class PushBackend(Protocol):
    """A backend that feeds a sink from the event loop's callbacks, without a task a request: what the hot path talks to.

    A :class:`Backend` without it is driven by one task a request in its place.
    """

    def start(self, request: GenerateRequest, sink: EventSink, /) -> Flow:
        """Begin; never raises, every failure is the sink's to hear."""
        ...
