"""Requests find their model and version."""

from __future__ import annotations

import pytest

from seekway.core.errors import BackendUnavailable, ModelNotFound
from seekway.core.types import EmbedRequest, GenerateRequest, RerankRequest, TextDelta
from seekway.model_service.registry import ModelRouter, Route
from tests.fakes.backend import FakeBackend, model_info, reply


def fake(name: str, version: str) -> FakeBackend:
    return FakeBackend(reply(f"{name} {version}"), models=[model_info(name, version)])


async def said(router: ModelRouter, model: str) -> str:
    events = router.generate(GenerateRequest("1", model, prompt="x"))
    return "".join([event.text async for event in events if isinstance(event, TextDelta)])


async def test_a_name_is_its_first_version_and_a_version_is_exact() -> None:
    router = ModelRouter(
        [
            Route("chat", "2", fake("chat", "2")),
            Route("chat", "1", fake("chat", "1")),
            Route("small", "9", fake("small", "9")),
        ]
    )
    assert [await said(router, model) for model in ("chat", "chat@1", "chat@2", "small")] == [
        "chat 2",
        "chat 1",
        "chat 2",
        "small 9",
    ]
    assert [(info.id, info.version) for info in await router.models()] == [("chat", "2"), ("chat", "1"), ("small", "9")]


async def test_an_unknown_model_or_version_is_named() -> None:
    router = ModelRouter([Route("chat", "1", fake("chat", "1"))])
    with pytest.raises(ModelNotFound, match=r"chat@7.*served are: chat") as not_found:
        router.generate(GenerateRequest("1", "chat@7", prompt="x"))
    assert not_found.value.param == "model"
    with pytest.raises(ModelNotFound):
        await router.embed(EmbedRequest("1", "", ("x",)))
    with pytest.raises(ModelNotFound):
        await router.rerank(RerankRequest("1", "none", "q", ("d",)))


async def test_a_model_that_cannot_be_asked_is_listed_with_the_reason_beside_the_others() -> None:
    away = FakeBackend(error=BackendUnavailable("It is away."))
    listed = await ModelRouter([Route("a", "1", away), Route("b", "1", fake("b", "1"))]).models()
    assert [(info.id, info.state, info.detail) for info in listed] == [
        ("a", "failed", "It is away."),
        ("b", "ready", ""),
    ]


async def test_closing_closes_every_model() -> None:
    backends = [fake("a", "1"), fake("b", "1")]
    await ModelRouter([Route("m", str(number), backend) for number, backend in enumerate(backends)]).close()
    assert all(backend.closed for backend in backends)
