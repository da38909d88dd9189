"""The OpenVINO engine: admission, the stepping thread and the figures, under :class:`seekway.engine.base.Engine`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import msgspec

from seekway.core.errors import (
    BackendUnavailable,
    ContextLengthExceeded,
    InvalidParameter,
    StartupError,
    UnsupportedParameter,
)
from seekway.core.types import EngineStats
from seekway.engine.admission import Admission
from seekway.engine.base import EngineOptions, TokenChunk, TokenRequest
from seekway.engine.figures import EngineFigures
from seekway.engine.memory import available_bytes, require_memory
from seekway.engine.native_memory import return_freed_memory
from seekway.engine.openvino.grammar_cost import require_bearable
from seekway.engine.openvino.grammar_trial import ConstraintTrial, GrammarTrial
from seekway.engine.openvino.kv_cache import blocks_within, bytes_of_block, context_within
from seekway.engine.openvino.pipeline import OpenVinoPipeline, Pipeline, PipelineOptions, open_pipeline
from seekway.engine.openvino.prefix_mirror import PrefixMirror
from seekway.engine.openvino.shape import read_shape
from seekway.engine.openvino.stepper import Job, Stepper
from seekway.engine.spec import LoadProgress

_WORKING_BYTES = 256 * 1024 * 1024
"""What OpenVINO takes beside KV cache and weights, which stand twice in memory while they are repacked."""
_BATCHED_TOKENS = 256
"""Tokens of one step: a prompt is prefilled in chunks of this, so that running sequences wait no longer than that takes."""


class OpenVinoEngine:
    """See :class:`seekway.engine.base.Engine`. ``crashed`` is set when the pipeline is lost and the process must be started anew."""

    name = "openvino"
    max_top_logprobs = 0

    def __init__(
        self,
        pipeline: Pipeline,
        trial: ConstraintTrial,
        mirror: PrefixMirror | None,
        options: EngineOptions,
        *,
        context_length: int,
        weight_bytes: int,
        vocabulary: int,
    ) -> None:
        self.context_length = context_length
        self.weight_bytes = weight_bytes
        self._vocabulary = vocabulary
        self._trial = trial
        self._admission = Admission(options.max_running, options.max_queued)
        self._figures = EngineFigures()
        self._stepper = Stepper(pipeline, mirror, asyncio.get_running_loop())
        self.crashed = self._stepper.crashed
        self._stepper.start()

    async def generate(self, request: TokenRequest) -> AsyncGenerator[TokenChunk]:
        """See the protocol; ``max_tokens`` is cut to what the context leaves."""
        fitting = self._fit(request)
        if fitting.constraint is not None:
            require_bearable(fitting.constraint)
        async with self._admission.slot():
            if fitting.constraint is not None:
                await self._trial.try_constraint(fitting.constraint)
            job = Job(fitting)
            self._figures.request_started(len(fitting.prompt))
            self._stepper.submit(job)
            counted_reuse = ended = False
            try:
                while not ended:
                    chunk = await job.next()
                    self._figures.tokens_generated(len(chunk.tokens))
                    if not counted_reuse:
                        self._figures.prompt_reused(chunk.cached_tokens)
                        counted_reuse = True
                    ended = chunk.finish is not None
                    yield chunk
            finally:
                if not ended:
                    self._stepper.drop(job)

    async def embed(self, prompts: list[list[int]]) -> list[bytes]:
        raise UnsupportedParameter("The OpenVINO engine makes no embeddings; use an embedding model.", param="model")

    def stats(self) -> EngineStats:
        return self._figures.snapshot(
            running=self._admission.running,
            queued=self._admission.queued,
            queue_limit=self._admission.max_queued,
            kv_cache_used=self._stepper.kv_cache_used,
        )

    async def close(self) -> None:
        stopped = BackendUnavailable("The engine stops; try again later.")
        self._admission.close(stopped)
        await self._stepper.close(stopped)

    def _fit(self, request: TokenRequest) -> TokenRequest:
        if not request.prompt:
            raise InvalidParameter("The prompt is empty; send at least one token.", param="prompt")
        if min(request.prompt) < 0 or max(request.prompt) >= self._vocabulary:
            raise InvalidParameter(f"The prompt has a token id outside 0 to {self._vocabulary - 1}.", param="prompt")
        if request.max_tokens < 1:
            raise InvalidParameter("max_tokens must be at least 1.", param="max_tokens")
        left = self.context_length - len(request.prompt)
        if left < 1:
            raise ContextLengthExceeded(
                f"The prompt has {len(request.prompt)} tokens and this model takes {self.context_length} with the answer; shorten it.",
                param="messages",
            )
        return request if request.max_tokens <= left else msgspec.structs.replace(request, max_tokens=left)


async def load_openvino(options: EngineOptions, progress: LoadProgress) -> OpenVinoEngine:
    """Load ``options.model_path`` and decode one token, so that the first request finds a warm engine.

    Raises ``ModelFileError`` for a file OpenVINO cannot run, ``InsufficientMemory`` before it is loaded
    and ``StartupError`` for options that cannot hold.
    """
    shape = await asyncio.to_thread(read_shape, options.model_path)
    blocks = blocks_within(shape, options.kv_cache, options.kv_cache_bytes)
    context_length = context_within(shape, blocks, options.context_length)
    needed = 2 * shape.weight_bytes + blocks * bytes_of_block(shape, options.kv_cache) + _WORKING_BYTES
    require_memory(needed, options.model_path.name, available_bytes())
    progress("loading and compiling the model", 0.05)
    pipeline = await asyncio.to_thread(open_pipeline, pipeline_options(options, blocks))
    progress("warming up", 0.9)
    await asyncio.to_thread(_warm_up, pipeline, blocks * bytes_of_block(shape, options.kv_cache))
    await asyncio.to_thread(return_freed_memory)
    progress("ready", 1.0)
    mirror = PrefixMirror(blocks, _BATCHED_TOKENS) if options.prefix_cache else None
    return OpenVinoEngine(
        pipeline,
        GrammarTrial(pipeline.tokenizer, shape.vocabulary),
        mirror,
        options,
        context_length=context_length,
        weight_bytes=shape.weight_bytes,
        vocabulary=shape.vocabulary,
    )


def pipeline_options(options: EngineOptions, blocks: int) -> PipelineOptions:
    """What the pipeline is opened with when the KV cache takes ``blocks``."""
    return PipelineOptions(
        model_path=options.model_path,
        threads=options.threads,
        max_running=options.max_running,
        kv_cache=options.kv_cache,
        kv_blocks=blocks,
        prefix_cache=options.prefix_cache,
        batched_tokens=_BATCHED_TOKENS,
        cache_directory=options.cache_directory,
    )


def _warm_up(pipeline: OpenVinoPipeline, expected_cache_bytes: int) -> None:
    """Run one token through, and check that the KV cache came out as small as its precision promises."""
    sequence = pipeline.add(0, TokenRequest(id="warm-up", prompt=(0,), max_tokens=1, temperature=0.0))
    while pipeline.has_work():
        pipeline.step()
    sequence.read()
    found = pipeline.kv_cache_bytes()
    if found > expected_cache_bytes * 1.05:
        raise StartupError(
            f"OpenVINO set aside {found} bytes of KV cache where {expected_cache_bytes} were expected; set kv_cache to f16 or use the llamacpp engine.",
            param="kv_cache",
        )
