"""Queries are joined, remembered and never made up; passages give way; a reranker scores everything."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import numpy as np
import pytest

from seekway.core.errors import BackendProtocolError, BackendUnavailable, ContextLengthExceeded, UnsupportedParameter
from seekway.core.ports import Backend
from seekway.core.types import (
    EmbedRequest,
    EmbedResult,
    Event,
    GenerateRequest,
    ModelInfo,
    RerankRequest,
    RerankResult,
    RerankScore,
    TokenCount,
)
from seekway.knowledge.served_models import ServedModels, ServedReranker
from tests.fakes.hashed_embedder import HashedEmbedder


class _Backend:
    """Embeds as the fake does, at a gate, and ``long`` is too long for it."""

    def __init__(self) -> None:
        self.hashed = HashedEmbedder(8)
        self.requests: list[EmbedRequest] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.asked = asyncio.Event()
        self.width = 4
        self.ranked = (RerankScore(1, 0.9), RerankScore(0, -0.5))

    async def generate(self, request: GenerateRequest) -> AsyncIterator[Event]:
        raise UnsupportedParameter("No text here; ask a chat model.")
        yield

    async def embed(self, request: EmbedRequest) -> EmbedResult:
        self.requests.append(request)
        self.asked.set()
        await self.gate.wait()
        if "long" in request.inputs:
            raise ContextLengthExceeded("A text is too long; split it.")
        rows = [3 * self.hashed.vector(text) for text in request.inputs]
        return EmbedResult(tuple(row.astype("<f4").tobytes()[: 8 * self.width] for row in rows), 8, 1)

    async def rerank(self, request: RerankRequest) -> RerankResult:
        return RerankResult(self.ranked, 1)

    async def count_tokens(self, request: GenerateRequest) -> TokenCount:
        return TokenCount(1)

    async def models(self) -> tuple[ModelInfo, ...]:
        return ()

    async def close(self) -> None:
        pass


class _World:
    def __init__(self) -> None:
        self.backend = _Backend()
        self.away = False
        self.models = ServedModels(self.find)
        self.embedder = self.models.embedder("m")

    async def find(self, model: str) -> tuple[Backend, str]:
        if self.away:
            raise BackendUnavailable("The model is away; start it.")
        return self.backend, f"{model}@1"

    def inputs(self) -> list[tuple[str, ...]]:
        return [request.inputs for request in self.backend.requests]


@pytest.fixture
async def world() -> AsyncIterator[_World]:
    made = _World()
    yield made
    await made.models.close()


async def test_a_lone_query_is_sent_at_once_and_those_that_come_meanwhile_together(world: _World) -> None:
    world.backend.gate.clear()
    first = asyncio.ensure_future(world.embedder.embed(("a",), "query"))
    await world.backend.asked.wait()
    others = [asyncio.ensure_future(world.embedder.embed((text,), "query")) for text in ("b", "c", "b")]
    await asyncio.sleep(0)
    world.backend.gate.set()
    rows = await asyncio.gather(first, *others)
    assert world.inputs() == [("a",), ("b", "c")]
    assert {request.purpose for request in world.backend.requests} == {"query"}
    assert [np.allclose(row[0], world.backend.hashed.vector(text)) for row, text in zip(rows, "abcb", strict=True)]
    assert np.allclose(np.linalg.norm(np.concatenate(rows), axis=1), 1, atol=1e-5)


async def test_a_query_that_was_asked_before_is_known(world: _World) -> None:
    first = await world.embedder.embed(("a", "b"), "query")
    again = await world.embedder.embed(("b", "a"), "query")
    assert len(world.inputs()) == 1
    assert np.array_equal(first, again[::-1])


async def test_another_backend_under_the_name_begins_anew(world: _World) -> None:
    await world.embedder.embed(("a",), "query")
    world.backend = other = _Backend()
    await world.embedder.embed(("b",), "query")
    await world.embedder.embed(("a",), "query")
    assert [request.inputs for request in other.requests] == [("b",), ("a",)]


async def test_one_bad_query_fails_alone(world: _World) -> None:
    world.backend.gate.clear()
    first = asyncio.ensure_future(world.embedder.embed(("a",), "query"))
    await world.backend.asked.wait()
    others = [asyncio.ensure_future(world.embedder.embed((text,), "query")) for text in ("b", "long", "c")]
    await asyncio.sleep(0)
    world.backend.gate.set()
    found = await asyncio.gather(first, *others, return_exceptions=True)
    assert [isinstance(one, ContextLengthExceeded) for one in found] == [False, False, True, False]


async def test_who_leaves_takes_nothing_from_who_stays(world: _World) -> None:
    world.backend.gate.clear()
    leaves = asyncio.ensure_future(world.embedder.embed(("a",), "query"))
    await world.backend.asked.wait()
    stays = asyncio.ensure_future(world.embedder.embed(("b",), "query"))
    also = asyncio.ensure_future(world.embedder.embed(("b",), "query"))
    await asyncio.sleep(0)
    leaves.cancel()
    stays.cancel()
    world.backend.gate.set()
    assert len(await also) == 1


async def test_a_model_that_is_away_is_an_error_and_no_empty_answer(world: _World) -> None:
    world.away = True
    with pytest.raises(BackendUnavailable):
        await world.embedder.embed(("a",), "query")
    with pytest.raises(BackendUnavailable):
        await world.embedder.embed(("a",), "passage")
    world.away = False
    assert len(await world.embedder.embed(("a",), "query")) == 1


async def test_vectors_that_do_not_fit_are_refused(world: _World) -> None:
    world.backend.width = 3
    with pytest.raises(BackendProtocolError):
        await world.embedder.embed(("a",), "passage")


async def test_passages_go_a_few_at_a_time_and_after_queries(world: _World) -> None:
    texts = [*("x" * 10 for _ in range(20)), "y" * 9000, "z"]
    world.backend.gate.clear()
    query = asyncio.ensure_future(world.embedder.embed(("a",), "query"))
    await world.backend.asked.wait()
    passages = asyncio.ensure_future(world.embedder.embed(texts, "passage"))
    for _ in range(5):
        await asyncio.sleep(0)
    assert world.inputs() == [("a",)]
    world.backend.gate.set()
    await query
    assert len(await passages) == 22
    assert [len(inputs) for inputs in world.inputs()] == [1, 16, 4, 1, 1]


async def test_what_no_model_reads_is_taken_out_of_texts(world: _World) -> None:
    await world.embedder.embed(("a\0b\ud800c",), "query")
    assert world.inputs() == [("a b\ufffdc",)]


async def test_nothing_at_all_gives_no_rows(world: _World) -> None:
    assert len(await world.embedder.embed((), "query")) == len(await world.embedder.embed((), "passage")) == 0
    assert world.inputs() == []


async def test_closing_ends_what_waits(world: _World) -> None:
    world.backend.gate.clear()
    query = asyncio.ensure_future(world.embedder.embed(("a",), "query"))
    await world.backend.asked.wait()
    await world.models.close()
    with pytest.raises(Exception, match="stopping"):
        await query


async def test_a_reranker_scores_all_in_their_order_from_0_to_1(world: _World) -> None:
    reranker = ServedReranker(world.find, "r")
    assert await reranker.rerank("q", ("a", "b")) == [0.0, 0.9]
    assert await reranker.rerank("q", ()) == ()
    with pytest.raises(BackendProtocolError):
        await reranker.rerank("q", ("a", "b", "c"))
