"""What the upstream backend serves beside generation: models, embeddings, reranking."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

import pytest

from seekway.core.errors import (
    BackendProtocolError,
    BackendUnavailable,
    SeekwayError,
    UnsupportedParameter,
)
from seekway.core.sections.backends import BackendSettings
from seekway.core.types import (
    EmbedRequest,
    RerankRequest,
    RerankScore,
)
from seekway.engine.upstream import backend as backend_module
from seekway.engine.upstream.backend import UpstreamBackend
from tests.fakes.upstream import (
    JSON,
    FakeUpstream,
    Script,
    good_chat,
)
from tests.integration.engine.upstream_calls import answer, connected


async def test_models_are_listed_with_what_the_server_says_of_them() -> None:
    body = (
        b'{"object":"list","data":[{"id":"a","owned_by":"vllm","max_model_len":4096,"created":3},{"id":"bge-embed"}]}'
    )
    async with connected(answer(200, body, JSON)) as (upstream, backend):
        first, second = await backend.models()
        assert (first.id, first.owned_by, first.context_length, first.created) == ("a", "vllm", 4096, 3)
        assert (first.engine, first.source, first.state) == ("upstream", upstream.url, "ready")
        assert "chat" in first.capabilities
        assert (second.owned_by, second.capabilities) == ("fake", ("embed",))
        assert upstream.requests[0].path == "/v1/models"


async def test_configured_models_limit_the_list_and_an_unlisted_one_says_so() -> None:
    body = b'{"data":[{"id":"a"},{"id":"b"}]}'
    async with connected(answer(200, body, JSON), models=("b", "alias")) as (_, backend):
        listed, unlisted = await backend.models()
        assert (listed.id, unlisted.id) == ("b", "alias")
        assert "does not list it" in unlisted.detail
    async with connected(answer(404, b"", JSON), models=("b",)) as (_, backend):
        assert [model.id for model in await backend.models()] == ["b"]


async def test_the_source_of_a_model_holds_no_credentials() -> None:
    async with FakeUpstream(answer(200, b'{"data":[{"id":"a"}]}', JSON)) as upstream:
        url = f"http://user:secret@127.0.0.1:{upstream.port}/v1"
        backend = UpstreamBackend(BackendSettings("fake", url))
        (model,) = await backend.models()
        await backend.close()
        assert model.source == upstream.url
        credentials = base64.b64encode(b"user:secret").decode()
        assert upstream.requests[0].headers["authorization"] == f"Basic {credentials}"


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (answer(404, b"", JSON), BackendProtocolError),
        (answer(200, b"{}", JSON), BackendProtocolError),
        (answer(200, b"<html>", "Content-Type: text/html"), BackendProtocolError),
        (answer(401, b"", JSON), BackendUnavailable),
        (answer(500, b"", JSON), BackendUnavailable),
    ],
)
async def test_models_that_cannot_be_listed_are_an_error(script: Script, error: type[SeekwayError]) -> None:
    async with connected(script) as (_, backend):
        with pytest.raises(error):
            await backend.models()


@pytest.mark.parametrize("encoded", [False, True], ids=["numbers", "base64"])
async def test_embeddings_come_in_order_and_of_unit_length(encoded: bool) -> None:
    vectors: list[Any] = [[3.0, 4.0], [0.0, 2.0]]
    if encoded:
        vectors = [base64.b64encode(struct.pack("<2f", *vector)).decode() for vector in vectors]
    data = [{"index": 1, "embedding": vectors[1]}, {"index": 0, "embedding": vectors[0]}]
    body = json.dumps({"data": data, "usage": {"prompt_tokens": 5, "total_tokens": 5}}).encode()
    async with connected(answer(200, b"\n\n" + body, JSON)) as (upstream, backend):
        result = await backend.embed(EmbedRequest("e", "m", ("a", "b"), dimensions=2))
    assert [struct.unpack("<2f", vector) for vector in result.vectors] == [pytest.approx((0.6, 0.8)), (0.0, 1.0)]
    assert (result.dimensions, result.prompt_tokens) == (2, 5)
    assert upstream.requests[0].json() == {
        "model": "m", "input": ["a", "b"], "encoding_format": "float", "dimensions": 2,
    }  # fmt: skip


@pytest.mark.parametrize(
    "data",
    [
        [{"index": 0, "embedding": [1.0]}],
        [{"index": 0, "embedding": [1.0]}, {"index": 0, "embedding": [1.0]}],
        [{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": [1.0, 2.0]}],
        [{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": [0.0]}],
        [{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": "***"}],
        [{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": "AAA="}],
        "none",
    ],
)
async def test_embeddings_that_cannot_be_believed_are_an_error(data: object) -> None:
    async with connected(answer(200, json.dumps({"data": data}).encode(), JSON)) as (_, backend):
        with pytest.raises(BackendProtocolError):
            await backend.embed(EmbedRequest("e", "m", ("a", "b")))


@pytest.mark.parametrize("bare", [False, True], ids=["results", "bare list"])
async def test_reranking_is_best_first_and_at_most_top_n(bare: bool) -> None:
    name = "score" if bare else "relevance_score"
    results = [{"index": index, name: score} for index, score in enumerate((0.1, 0.9, 0.5))]
    body = json.dumps(results if bare else {"results": results, "usage": {"total_tokens": 8}}).encode()
    async with connected(answer(200, body, JSON)) as (upstream, backend):
        result = await backend.rerank(RerankRequest("k", "m", "q", ("a", "b", "c"), top_n=2))
    assert result.scores == (RerankScore(1, 0.9), RerankScore(2, 0.5))
    assert result.prompt_tokens == (0 if bare else 8)
    assert upstream.requests[0].path == "/v1/rerank"


@pytest.mark.parametrize(
    "results", [[], [{"index": 2, "score": 1.0}], [{"index": 0}], [{"index": 0, "score": 1.0}] * 2, 5]
)
async def test_scores_that_cannot_be_believed_are_an_error(results: object) -> None:
    async with connected(answer(200, json.dumps({"results": results}).encode(), JSON)) as (_, backend):
        with pytest.raises(BackendProtocolError):
            await backend.rerank(RerankRequest("k", "m", "q", ("a", "b")))


async def test_deepseek_is_not_asked_for_what_it_has_not() -> None:
    async with connected(good_chat, kind="deepseek") as (upstream, backend):
        with pytest.raises(UnsupportedParameter):
            await backend.embed(EmbedRequest("e", "m", ("a",)))
        with pytest.raises(UnsupportedParameter):
            await backend.rerank(RerankRequest("k", "m", "q", ("a",)))
        assert upstream.requests == []


async def test_a_body_without_bound_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend_module, "MAX_BODY_BYTES", 1024)
    async with connected(answer(200, b" " * 100_000 + b"{}", JSON)) as (_, backend):
        with pytest.raises(BackendProtocolError):
            await backend.models()
