"""A question that means the same is answered; one that only looks alike, or another tenant's, is not."""

from __future__ import annotations

import asyncio
import io
import struct

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seekway.core.errors import BackendUnavailable, NotCached
from seekway.core.ports import Backend
from seekway.core.sections.log import LogSettings
from seekway.core.types import EmbedRequest, EmbedResult, Message, Tool
from seekway.observability.cache_figures import CacheCounts
from seekway.observability.logging import make_logger
from seekway.pipeline.cache.embedder import QuestionEmbedder
from seekway.pipeline.cache.semantic import Question, SemanticIndex, Vector
from seekway.pipeline.caller import Caller
from tests.fakes.backend import FakeBackend, model_info
from tests.unit.pipeline.cache.asked import ON, AskedCache, answer_of, asked_and_given

SEMANTIC = msgspec.structs.replace(ON, semantic=True, semantic_model="e", semantic_threshold=0.9)


class AngleBackend(FakeBackend):
    """Embeds a text by the angle that its first word has in ``angles``, in degrees; others at a right angle."""

    def __init__(self, **angles: float) -> None:
        super().__init__(models=(model_info("e"),))
        self.angles = angles
        self.hang = False
        self.raw: bytes | None = None

    async def embed(self, request: EmbedRequest) -> EmbedResult:
        if self.error is not None:
            raise self.error
        # As over a wire, the answer is never there at once.
        await asyncio.sleep(0)
        if self.hang:
            await asyncio.Event().wait()
        self.requests.append(request)
        angle = np.radians(self.angles.get(request.inputs[0].split()[0].lower(), 90.0))
        vector = struct.pack("<2f", 3 * np.cos(angle), 3 * np.sin(angle)) if self.raw is None else self.raw
        return EmbedResult((vector,), 2, 1)


def make(backend: AngleBackend, timeout_s: float = 60.0, **changes: object) -> tuple[AskedCache, io.StringIO]:
    counts, stream = CacheCounts(), io.StringIO()

    async def find(model: str) -> tuple[Backend, str]:
        assert model == "e"
        return backend, "e@1"

    embedder = QuestionEmbedder(find, "e", counts, make_logger(LogSettings(), stream), timeout_s=timeout_s)
    options = msgspec.structs.replace(SEMANTIC, **changes)
    return AskedCache(options, embedder=embedder, counts=counts), stream


BACKEND = {"please": 0.0, "what": 5.0, "tell": 10.0, "weather": 60.0}


async def test_a_question_that_means_the_same_is_answered() -> None:
    cache, _ = make(AngleBackend(**BACKEND))
    await asked_and_given(cache, "What is the capital of France?", "Paris.")
    asked = await cache.ask("please what is the capital of France").look()
    assert (asked.did, asked.text, asked.filter) == ("semantic", "Paris.", None)
    assert asked.headers[b"x-seekway-cache"] == b"semantic"
    assert (cache.counts.semantic_hits, cache.counts.hits, cache.counts.misses) == (1, 0, 1)
    asked.end()
    assert not cache.cache.recordings
    assert not len(cache.cache.flights)


async def test_an_equal_request_needs_no_embedding() -> None:
    backend = AngleBackend(**BACKEND)
    cache, _ = make(backend)
    await asked_and_given(cache, "What?", "a")
    assert (await cache.ask("What?").look()).did == "hit"
    assert len(backend.requests) == 1


async def test_near_vectors_with_other_words_are_counted_and_not_answered() -> None:
    cache, _ = make(AngleBackend(**BACKEND))
    await asked_and_given(cache, "what about 10 mg", "safe")
    assert (await cache.ask("what about 100 mg").look()).did == "miss"
    assert cache.counts.near_misses == 1


async def test_far_vectors_are_not_answered() -> None:
    cache, _ = make(AngleBackend(what=0.0, please=60.0))
    await asked_and_given(cache, "what is it", "a")
    assert (await cache.ask("please what is it").look()).did == "miss"
    assert not cache.counts.near_misses


async def test_another_tenant_system_prompt_or_history_is_another_context() -> None:
    cache, _ = make(AngleBackend(**BACKEND))
    await asked_and_given(cache, "what is it", "a")
    again = (Message("user", "what is it"),)
    system = (Message("system", "Be brief."), Message("user", "please what is it"))
    history = (*again, Message("assistant", "x"), Message("user", "please what is it"))
    assert (await cache.ask("please what is it", caller=Caller("k", "t")).look()).did == "miss"
    assert (await cache.ask(messages=system).look()).did == "miss"
    assert (await cache.ask(messages=history).look()).did == "miss"
    assert (await cache.ask("please what is it").look()).did == "semantic"


async def test_with_tools_meaning_alone_decides_nothing() -> None:
    backend = AngleBackend(**BACKEND)
    cache, _ = make(backend)
    tools = (Tool("f"),)
    await asked_and_given(cache, "what is it", "a", tools=tools)
    assert (await cache.ask("please what is it", tools=tools).look()).did == "miss"
    assert not backend.requests


async def test_a_forgotten_answer_is_forgotten_as_a_question() -> None:
    cache, _ = make(AngleBackend(**BACKEND))
    await asked_and_given(cache, "what is it", "a")
    cache.clock.now += SEMANTIC.ttl_s
    assert len(cache.cache.index) == 1
    assert (await cache.ask("please what is it").look()).did == "miss"
    assert len(cache.cache.index) == 0


async def test_an_embedding_model_that_is_away_is_a_miss_logged_once() -> None:
    backend = AngleBackend(**BACKEND)
    cache, log = make(backend)
    backend.error = BackendUnavailable("gone")
    for number in range(3):
        asked = await asked_and_given(cache, f"what {number}", "a")
        assert asked.did == "miss"
        assert (await cache.ask(f"what {number}").look()).did == "hit"
    assert cache.counts.embedding_failures == 3
    assert log.getvalue().count("cache_embedding_away") == 1
    backend.error = None
    await asked_and_given(cache, "what is it", "a")
    assert log.getvalue().count("cache_embedding_back") == 1


@pytest.mark.parametrize("raw", [b"", struct.pack("<2f", 0, 0), struct.pack("<2f", float("nan"), 1), b"abc"])
async def test_a_vector_without_a_direction_is_a_miss(raw: bytes) -> None:
    backend = AngleBackend()
    backend.raw = raw
    cache, _ = make(backend)
    await asked_and_given(cache, "what is it", "a")
    assert cache.counts.embedding_failures == 1
    assert not len(cache.cache.index)


async def test_an_embedding_model_that_is_slow_is_not_waited_for() -> None:
    backend = AngleBackend()
    backend.hang = True
    cache, _ = make(backend, timeout_s=0.001)
    assert (await asked_and_given(cache, "what is it", "a")).did == "miss"
    assert cache.counts.embedding_failures == 1


async def test_followers_get_the_answer_that_their_leader_found_by_meaning() -> None:
    backend = AngleBackend(**BACKEND)
    cache, _ = make(backend)
    await asked_and_given(cache, "what is it", "a")
    both = await asyncio.gather(*(cache.ask("please what is it").look() for _ in range(2)))
    assert [(one.did, one.text) for one in both] == [("semantic", "a")] * 2
    assert len(backend.requests) == 2


async def test_a_leader_cancelled_while_it_embeds_passes_the_lead_on() -> None:
    backend = AngleBackend(**BACKEND)
    cache, _ = make(backend)
    backend.hang = True
    first, second = cache.ask("what is it"), cache.ask("what is it")
    tasks = [asyncio.ensure_future(one.look()) for one in (first, second)]
    for _ in range(5):
        await asyncio.sleep(0)
    backend.hang = False
    tasks[0].cancel()
    await asyncio.wait([tasks[0]])
    first.end("cancelled")
    assert (await tasks[1]).did == "miss"
    second.give(answer_of())
    assert not len(cache.cache.flights)


async def test_only_if_cached_may_be_answered_by_meaning() -> None:
    cache, _ = make(AngleBackend(**BACKEND))
    headers = ((b"cache-control", b"only-if-cached"),)
    with pytest.raises(NotCached):
        await cache.ask("what is it", headers=headers).look()
    await asked_and_given(cache, "what is it", "a")
    assert (await cache.ask("please what is it", headers=headers).look()).did == "semantic"


def unit(*values: float) -> Vector:
    vector = np.array(values, np.float32)
    return np.asarray(vector / np.linalg.norm(vector), np.float32)


@settings(max_examples=50)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9), st.booleans()), max_size=60),
    st.integers(1, 5),
    st.integers(1, 8),
)
def test_the_index_keeps_its_bounds_and_finds_what_a_full_search_finds(
    steps: list[tuple[int, int, bool]], most: int, most_vectors: int
) -> None:
    index = SemanticIndex(most=most, most_vectors=most_vectors, threshold=0.99)
    for context, number, forget in steps:
        name = bytes([context])
        vector = unit(number, 1.0, 2.0)
        if forget:
            for candidate in index.near(name, vector):
                index.forget(name, candidate.question)
            assert index.near(name, vector) == []
        else:
            question = Question(vector, (str(number),), bytes([number]))
            index.add(name, question)
            assert any(candidate.question is question for candidate in index.near(name, vector))
        assert len(index) <= most_vectors
        assert sum(len(held) for held in index._contexts.values()) == len(index)  # pyright: ignore[reportPrivateUsage]
        assert all(len(held) <= most for held in index._contexts.values())  # pyright: ignore[reportPrivateUsage]


def test_the_nearest_comes_first_and_other_dimensions_are_not_compared() -> None:
    index = SemanticIndex(most=10, most_vectors=10, threshold=0.5)
    for number, vector in enumerate([unit(1, 1), unit(1, 0.1), unit(0, 1)]):
        index.add(b"c", Question(vector, (str(number),), bytes([number])))
    assert [candidate.question.key for candidate in index.near(b"c", unit(1, 0))] == [b"\1", b"\0"]
    assert index.near(b"c", unit(1, 0, 0)) == []
    index.add(b"c", Question(unit(1, 0, 0), ("x",), b"x"))
    assert len(index) == 3
    index.clear(b"")
    assert len(index) == 0


def test_a_question_that_takes_anothers_place_is_still_found() -> None:
    index = SemanticIndex(most=10, most_vectors=10, threshold=0.9)
    questions = [Question(unit(*axis), (str(axis),), bytes(axis)) for axis in ((1, 0, 0), (0, 1, 0), (0, 0, 1))]
    for question in questions:
        index.add(b"c", question)
    index.forget(b"c", questions[0])
    assert index.near(b"c", questions[0].vector) == []
    for question in questions[1:]:
        assert [candidate.question for candidate in index.near(b"c", question.vector)] == [question]
