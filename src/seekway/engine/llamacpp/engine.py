"""The engine on llama.cpp, for every architecture that it knows; DeepSeek-V2 and V3 among them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from seekway.core.errors import (
    BackendUnavailable,
    ContextLengthExceeded,
    InternalError,
    InvalidRequest,
    ModelFileError,
    SeekwayError,
    UnsupportedParameter,
)
from seekway.core.types import EngineStats
from seekway.engine.admission import Admission
from seekway.engine.base import EngineOptions, TokenChunk, TokenRequest
from seekway.engine.cores import usable_cores
from seekway.engine.figures import EngineFigures
from seekway.engine.gguf.header import GgufHeader
from seekway.engine.llamacpp.native import NativeServer, reclaim_signals, start_server
from seekway.engine.llamacpp.parts import headers_of
from seekway.engine.llamacpp.plan import LoadPlan, is_reranker, plan_load
from seekway.engine.llamacpp.stream import TokenStream
from seekway.engine.llamacpp.vocabulary import Vocabulary
from seekway.engine.llamacpp.wire import completion_body, embedding_body, read_embeddings
from seekway.engine.memory import available_bytes, require_memory
from seekway.engine.spec import LoadProgress

_WORKING_BYTES = 256 * 1024 * 1024
"""What llama.cpp takes beside weights and KV cache: compute buffers, logits, the library itself."""
_READ_BYTES = 8 * 1024 * 1024
_TOP_LOGPROBS = 20


class LlamaCppEngine:
    """One GGUF in one llama.cpp server; :func:`load_llamacpp` makes it. See :class:`seekway.engine.base.Engine`.

    ``plan`` tells slots, context and KV cache as they came out; ``embedding`` models embed and do not generate, the others the reverse.
    """

    name = "llamacpp"
    max_top_logprobs = _TOP_LOGPROBS

    def __init__(
        self,
        server: NativeServer,
        headers: tuple[GgufHeader, ...],
        plan: LoadPlan,
        *,
        max_queued: int,
        prefix_cache: bool,
    ) -> None:
        self.plan = plan
        self.embedding = plan.pooling is not None
        self.context_length = plan.context_length
        self.weight_bytes = sum(part.weight_bytes for part in headers)
        self._server: NativeServer | None = server
        self._prefix_cache = prefix_cache
        self._n_vocab = headers[0].n_vocab
        self._vocabulary = Vocabulary(headers[0].path)
        self._admission = Admission(plan.slots, max_queued)
        self._figures = EngineFigures()
        self._threads = ThreadPoolExecutor(plan.slots, thread_name_prefix="llamacpp")
        self._running: dict[asyncio.Task[None], TokenStream] = {}

    async def generate(self, request: TokenRequest) -> AsyncGenerator[TokenChunk]:
        """See :meth:`seekway.engine.base.Engine.generate`; raises ``ContextLengthExceeded`` for a prompt that leaves no room.

        Tokens that end within a character come with the one that completes it, without log-probability of their own.
        Penalties count the prompt's tokens and the output's alike.
        """
        self._check(request)
        if request.max_tokens < 1:
            yield TokenChunk(finish="length")
            return
        body = completion_body(request, self.context_length, prefix_cache=self._prefix_cache)
        stream = TokenStream(request, self._vocabulary)
        # The task outlives a closed iterator by a decoding step, so that the slot is not lent again before the server has freed it;
        # it is held here until then and awaited by close().
        task = asyncio.get_running_loop().create_task(self._run(stream, body, len(request.prompt)))
        self._running[task] = stream
        task.add_done_callback(self._left)
        reused_before = 0
        try:
            async for chunk in stream.chunks():
                self._figures.tokens_generated(len(chunk.tokens))
                self._figures.prompt_reused(chunk.cached_tokens - reused_before)
                reused_before = chunk.cached_tokens
                yield chunk
            # The thread leaves at once after the last chunk; then the slot is free and counted so.
            await asyncio.wait([task])
        finally:
            stream.cancel()
            if not stream.admitted:
                task.cancel()

    async def embed(self, prompts: list[list[int]]) -> list[bytes]:
        if not self.embedding:
            raise UnsupportedParameter("This model generates text and makes no embeddings; ask an embedding model.")
        for prompt in prompts:
            self._check_prompt(prompt)
        if not prompts:
            return []
        async with self._admission.slot():
            self._figures.request_started(sum(map(len, prompts)))
            body = embedding_body(prompts)
            work = asyncio.get_running_loop().run_in_executor(
                self._threads, self._open_server().handle_embeddings, body
            )
            # Not to be interrupted: the slot is free only when the server is.
            return read_embeddings(await _whole(work))

    def stats(self) -> EngineStats:
        admission = self._admission
        return self._figures.snapshot(
            running=admission.running, queued=admission.queued, queue_limit=admission.max_queued
        )

    async def close(self) -> None:
        """End running requests with an error, stop the decoding thread and free the memory; a second call does nothing."""
        stopping = BackendUnavailable("The model is being unloaded; try again.", retry_after_s=5.0)
        self._admission.close(stopping)
        for stream in self._running.values():
            stream.fail(BackendUnavailable(stopping.message, retry_after_s=5.0))
        if self._running:
            await asyncio.wait(list(self._running))
        await asyncio.to_thread(self._threads.shutdown)
        # The last reference: the server joins its threads as it goes.
        self._server = None

    async def _run(self, stream: TokenStream, body: bytes, prompt_tokens: int) -> None:
        async with self._admission.slot():
            stream.admitted = True
            self._figures.request_started(prompt_tokens)
            await asyncio.get_running_loop().run_in_executor(self._threads, self._complete, stream, body)

    def _complete(self, stream: TokenStream, body: bytes) -> None:
        try:
            self._open_server().handle_completions(body, stream.receive)
        finally:
            stream.left()

    def _left(self, task: asyncio.Task[None]) -> None:
        stream = self._running.pop(task)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, SeekwayError):
            stream.fail(error)
        elif error is not None:
            stream.fail(InternalError(f"The engine failed: {error}."))

    def _check(self, request: TokenRequest) -> None:
        if self.embedding:
            raise UnsupportedParameter("This model makes embeddings and generates no text; ask another model.")
        self._check_prompt(request.prompt)

    def _check_prompt(self, prompt: tuple[int, ...] | list[int]) -> None:
        if not prompt:
            raise InvalidRequest("The prompt is empty; send at least one token.", param="prompt")
        room = self.context_length if self.embedding else self.context_length - 1
        if len(prompt) > room:
            raise ContextLengthExceeded(
                f"The prompt has {len(prompt)} tokens and this model takes at most {room}; shorten it.", param="prompt"
            )
        if min(prompt) < 0 or max(prompt) >= self._n_vocab:
            raise InvalidRequest(f"Token ids run from 0 to {self._n_vocab - 1} in this model.", param="prompt")

    def _open_server(self) -> NativeServer:
        if self._server is None:
            raise BackendUnavailable("The model is unloaded.")
        return self._server


async def load_llamacpp(options: EngineOptions, progress: LoadProgress) -> LlamaCppEngine:
    """Load a GGUF; its pooling type decides whether the engine embeds or generates.

    Raises ``ModelFileError`` for a file that is missing, broken or unknown, ``InsufficientMemory`` before loading what would not fit.
    """
    progress("reading the weights", 0.0)
    headers = await asyncio.to_thread(headers_of, options.model_path)
    header, weight_bytes = headers[0], sum(part.weight_bytes for part in headers)
    if is_reranker(header):
        raise ModelFileError(
            f"{header.path.name} is a reranker, which this engine does not serve; choose another model."
        )
    plan = plan_load(header, options)
    needed = weight_bytes + plan.kv_cache_bytes + _WORKING_BYTES
    require_memory(needed, header.path.name, available_bytes())
    await asyncio.to_thread(_read_ahead, [part.path for part in headers], progress)
    progress("starting llama.cpp", 0.9)
    threads = options.threads or usable_cores()
    server = await asyncio.to_thread(
        start_server, header.path, plan, threads=threads, prefix_cache=options.prefix_cache
    )
    reclaim_signals()
    progress("warming up", 0.95)
    await asyncio.to_thread(_warm_up, server, plan)
    progress("ready", 1.0)
    return LlamaCppEngine(server, headers, plan, max_queued=options.max_queued, prefix_cache=options.prefix_cache)


def _warm_up(server: NativeServer, plan: LoadPlan) -> None:
    """Decode one token, or embed one.

    The server's constructor returns before its decoding loop runs, and a server that is closed before that never ends;
    once it has answered, it can be closed. The first request also finds pages and buffers in place.
    """
    if plan.pooling is not None:
        server.handle_embeddings(embedding_body([[0]]))
        return
    request = TokenRequest(id="warm-up", prompt=(0,), max_tokens=1)
    server.handle_completions(completion_body(request, plan.context_length, prefix_cache=False), lambda _: False)


def _read_ahead(paths: list[Path], progress: LoadProgress) -> None:
    """Bring the files into the system's cache, from where llama.cpp maps them: this is what loading waits for, and can be told."""
    size = max(sum(path.stat().st_size for path in paths), 1)
    buffer = bytearray(_READ_BYTES)
    done = 0
    for path in paths:
        with path.open("rb", buffering=0) as file:
            while count := file.readinto(buffer):
                done += count
                progress("reading the weights", min(0.9 * done / size, 0.9))


async def _whole(work: asyncio.Future[bytes]) -> bytes:
    """Wait for ``work`` to its end even when cancelled meanwhile, then be cancelled."""
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait([work])
        raise
