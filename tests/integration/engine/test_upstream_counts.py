"""Tokens are counted by a server that can, and what is estimated says so."""

from __future__ import annotations

import pytest

from seekway.core.errors import BackendUnavailable, Overloaded, SeekwayError
from seekway.core.sections.backends import BackendSettings
from seekway.core.types import GenerateRequest, ImagePart, Message, Thinking, TokenCount, Tool, ToolCall, ToolChoice
from seekway.engine.upstream.backend import UpstreamBackend
from seekway.engine.upstream.token_count import estimate
from tests.fakes.upstream import JSON
from tests.integration.engine.upstream_calls import answer, ask, connected

NO_COUNT = [
    answer(404, b'{"detail":"Not Found"}', JSON),
    answer(405, b"", JSON),
    answer(400, b'{"error":{"message":"prompt is missing"}}', JSON),
    answer(422, b"{}", JSON),
    answer(200, b'{"tokens":[1,2]}', JSON),
    answer(200, b"<html>", "Content-Type: text/html"),
]


async def test_a_server_that_counts_is_asked_with_all_that_makes_the_prompt() -> None:
    async with connected(answer(200, b'{"count":41,"max_model_len":4096,"tokens":[1]}', JSON)) as (upstream, backend):
        request = GenerateRequest(
            "r1", "m", (Message("user", "hi"),), tools=(Tool("f"),), thinking=Thinking(True), extra={"seed": 1}
        )
        assert await backend.count_tokens(request) == TokenCount(41)
        (asked,) = upstream.requests
        assert asked.path == "/tokenize"
        assert asked.json() == {
            "model": "m",
            "messages": [{"role": "user", "content": "hi"}],
            "tools": [{"type": "function", "function": {"name": "f", "description": "", "parameters": {}}}],
            "chat_template_kwargs": {"thinking": True, "enable_thinking": True},
        }


@pytest.mark.parametrize("script", NO_COUNT)
async def test_a_server_that_cannot_count_is_estimated_for(script: object) -> None:
    async with connected(script) as (_, backend):  # pyright: ignore[reportArgumentType] - a script
        assert await backend.count_tokens(ask()) == estimate(ask())


@pytest.mark.parametrize(("status", "error"), [(401, BackendUnavailable), (503, Overloaded)])
async def test_a_server_that_fails_is_not_estimated_for(status: int, error: type[SeekwayError]) -> None:
    async with connected(answer(status, b"{}", JSON)) as (_, backend):
        with pytest.raises(error):
            await backend.count_tokens(ask())


@pytest.mark.parametrize(
    "settings",
    [BackendSettings("d", "http://127.0.0.1:9", kind="deepseek"), BackendSettings("o", "https://api.openai.com/v1")],
)
async def test_clouds_without_a_counter_are_not_asked(settings: BackendSettings) -> None:
    backend = UpstreamBackend(settings, "key")
    try:
        assert await backend.count_tokens(ask()) == estimate(ask())
    finally:
        await backend.close()


def test_an_estimate_follows_deepseeks_rule_and_says_that_it_is_one() -> None:
    def tokens(*messages: Message, tools: tuple[Tool, ...] = (), choice: str = "auto") -> int:
        assert choice in ("auto", "none")
        count = estimate(
            GenerateRequest(
                "1", "m", messages, tools=tools, tool_choice=ToolChoice("none" if choice == "none" else "auto")
            )
        )
        assert not count.exact
        return count.tokens

    english, chinese = tokens(Message("user", "a" * 1000)), tokens(Message("user", "中" * 1000))
    assert (english, chinese) == (305, 605)
    assert tokens(Message("user", (ImagePart("https://example.com/a.png"),))) > 1024
    assert tokens(Message("assistant", "", reasoning="a" * 1000)) == english
    assert tokens(Message("assistant", "", tool_calls=(ToolCall("1", "f", "a" * 999),))) == english
    tools = (Tool("f", "a" * 1000),)
    assert tokens(Message("user", "hi"), tools=tools) > 300 > tokens(Message("user", "hi"), tools=tools, choice="none")
