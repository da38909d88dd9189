"""Embedding and reranking by whichever backends serve the models."""

from __future__ import annotations

import asyncio
import itertools
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Final

import numpy as np

from seekway.core.errors import BackendProtocolError, Overloaded, RequestError
from seekway.core.ports import Backend
from seekway.core.types import EmbedRequest, RerankRequest
from seekway.knowledge.ports import Embedder, Purpose, Vectors

FindBackend = Callable[[str], Awaitable[tuple[Backend, str]]]
"""The backend that serves a model, and the name it knows the model by; raises ``SeekwayError`` where none does."""

_VECTORS_KEPT: Final = 1024
_JOINED: Final = 32
"""Most queries in one request."""
_PASSAGES: Final = 16
_PASSAGE_CHARACTERS: Final = 8_000
"""Of one request; a longer passage goes alone."""
_GIVES_WAY_S: Final = 0.5
"""How long passages wait for queries under way, at most, before each request."""
_DEADLINE_S: Final = 120.0

_STOPPING: Final = Overloaded("This process is stopping; send the request again.", retry_after_s=1)
_UNFIT: Final = {0: " ", **dict.fromkeys(range(0xD800, 0xE000), "\ufffd")}


class ServedModels:
    """``find`` is asked for each request, so that a changed configuration holds from the next one on."""

    def __init__(self, find: FindBackend) -> None:
        self._find = find
        self._embedders: dict[str, ServedEmbedder] = {}

    def embedder(self, model: str) -> Embedder:
        """One for each model, however often it is asked for."""
        known = self._embedders.get(model)
        if known is None:
            known = self._embedders[model] = ServedEmbedder(self._find, model)
        return known

    async def close(self) -> None:
        for embedder in self._embedders.values():
            await embedder.close()


class ServedEmbedder:
    """Queries are sent at once when none is under way, and together with those that came meanwhile otherwise; the vectors of the last ones are kept.

    Passages are sent a few at a time and give way to queries. All raises what the backend raises; nothing is left out or made up.
    """

    def __init__(self, find: FindBackend, model: str, *, kept: int = _VECTORS_KEPT) -> None:
        self._find = find
        self._model = model
        self._kept = kept
        self._vectors: OrderedDict[str, Vectors] = OrderedDict()
        self._backend: Backend | None = None
        self._numbers = itertools.count(1)
        self._waiting: dict[str, asyncio.Future[Vectors]] = {}
        self._sending: asyncio.Task[None] | None = None
        self._quiet = asyncio.Event()
        self._quiet.set()

    async def embed(self, texts: Sequence[str], purpose: Purpose, /) -> Vectors:
        fit = [text.translate(_UNFIT) for text in texts]
        if purpose == "query":
            rows = await asyncio.gather(*(self._query(text) for text in fit))
            return np.stack(rows) if rows else np.empty((0, 0), np.float32)
        found: list[Vectors] = []
        for chunk in _chunks(fit):
            try:
                async with asyncio.timeout(_GIVES_WAY_S):
                    await self._quiet.wait()
            except TimeoutError:
                pass
            found.append(await self._ask(chunk, "passage"))
        return np.concatenate(found) if found else np.empty((0, 0), np.float32)

    async def close(self) -> None:
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.wait([self._sending])

    async def _query(self, text: str) -> Vectors:
        known = self._vectors.get(text)
        if known is not None:
            self._vectors.move_to_end(text)
            return known
        future = self._waiting.get(text)
        if future is None:
            future = self._waiting[text] = asyncio.get_running_loop().create_future()
            # Everybody's whose query is in it, not the first one's; ended by close().
            if self._sending is None or self._sending.done():
                self._sending = asyncio.get_running_loop().create_task(self._send())
        # One who leaves takes nothing from the others that asked the same.
        return await asyncio.shield(future)

    async def _send(self) -> None:
        self._quiet.clear()
        try:
            while self._waiting:
                texts = list(self._waiting)[:_JOINED]
                futures = [self._waiting.pop(text) for text in texts]
                await self._settle(texts, futures)
        finally:
            self._quiet.set()
            _fail(list(self._waiting.values()), _STOPPING)
            self._waiting.clear()

    async def _settle(self, texts: list[str], futures: list[asyncio.Future[Vectors]]) -> None:
        try:
            rows = await self._ask(texts, "query")
        except RequestError as error:
            if len(texts) == 1:
                _fail(futures, error)
                return
            # One of them is at fault; the others shall not suffer from it.
            for text, future in zip(texts, futures, strict=True):
                await self._settle([text], [future])
        except asyncio.CancelledError:
            _fail(futures, _STOPPING)
            raise
        except Exception as error:  # noqa: BLE001 - whoever waits must hear of it, whatever it is
            _fail(futures, error)
        else:
            for text, future, row in zip(texts, futures, rows, strict=True):
                self._vectors[text] = row
                if not future.done():
                    future.set_result(row)
            while len(self._vectors) > self._kept:
                self._vectors.popitem(last=False)

    async def _ask(self, texts: Sequence[str], purpose: Purpose) -> Vectors:
        backend, name = await self._find(self._model)
        if backend is not self._backend:
            # Another server's model may be another one under that name.
            self._backend = backend
            self._vectors.clear()
        request = EmbedRequest(
            f"knowledge-{next(self._numbers)}", name, tuple(texts), purpose=purpose, deadline_s=_DEADLINE_S
        )
        result = await backend.embed(request)
        if len(result.vectors) != len(texts) or any(len(row) != 4 * result.dimensions for row in result.vectors):
            raise BackendProtocolError(
                f"The embedding model {self._model} gave vectors that do not fit the texts; look at its server."
            )
        found = np.frombuffer(b"".join(result.vectors), "<f4").reshape(len(texts), -1).astype(np.float32)
        lengths = np.linalg.norm(found, axis=1, keepdims=True)
        if not (np.isfinite(lengths).all() and (lengths > 0).all()):
            raise BackendProtocolError(
                f"The embedding model {self._model} gave a vector without direction; look at its server."
            )
        return found / lengths


class ServedReranker:
    def __init__(self, find: FindBackend, model: str) -> None:
        self._find = find
        self._model = model
        self._numbers = itertools.count(1)

    async def rerank(self, query: str, texts: Sequence[str], /) -> Sequence[float]:
        if not texts:
            return ()
        backend, name = await self._find(self._model)
        documents = tuple(text.translate(_UNFIT) for text in texts)
        request = RerankRequest(
            f"knowledge-{next(self._numbers)}", name, query.translate(_UNFIT), documents, deadline_s=_DEADLINE_S
        )
        result = await backend.rerank(request)
        scores = {one.index: one.score for one in result.scores}
        if set(scores) != set(range(len(texts))):
            raise BackendProtocolError(
                f"The model {self._model} did not score every text it was given; look at its server."
            )
        return [min(1.0, max(0.0, scores[place])) for place in range(len(texts))]


def _fail(futures: Sequence[asyncio.Future[Vectors]], error: Exception) -> None:
    for future in futures:
        if not future.done():
            future.set_exception(error)
            future.exception()  # retrieved: whoever asked may have left


def _chunks(texts: Sequence[str]) -> Iterator[list[str]]:
    chunk: list[str] = []
    characters = 0
    for text in texts:
        if chunk and (len(chunk) == _PASSAGES or characters + len(text) > _PASSAGE_CHARACTERS):
            yield chunk
            chunk, characters = [], 0
        chunk.append(text)
        characters += len(text)
    if chunk:
        yield chunk
