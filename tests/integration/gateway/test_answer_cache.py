"""Over HTTP an answer from the cache reads like the model's own, with its headers, streamed or whole."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec
import pytest

from seekway.app.cache_warming import Warming, read_stats
from seekway.app.chat_client import open_session
from seekway.core.errors import BackendUnavailable, NotFound
from seekway.core.sections.cache import CacheSettings
from seekway.core.types import GenerateRequest
from tests.fakes.backend import FakeBackend, Step, reply
from tests.integration.gateway import served
from tests.integration.gateway.served import Answer, Served, serving

CHAT = "/v1/chat/completions"


@pytest.fixture(autouse=True)
def cached(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gateways of these tests have a cache."""
    monkeypatch.setattr(served, "CACHE", CacheSettings(enabled=True))


def body(text: str = "hi", *, stream: bool = False, **fields: object) -> bytes:
    messages = [{"role": "user", "content": text}]
    return msgspec.json.encode({"model": "fake", "messages": messages, "temperature": 0, "stream": stream} | fields)


def said(answer: Answer) -> str:
    if "event-stream" not in answer.headers["content-type"]:
        return msgspec.json.decode(answer.body)["choices"][0]["message"]["content"]
    lines = [line[6:] for line in answer.body.split(b"\n") if line.startswith(b"data: {")]
    assert answer.body.endswith(b"data: [DONE]\n\n")
    deltas = [choice["delta"] for line in lines for choice in msgspec.json.decode(line)["choices"]]
    return "".join(delta.get("content") or "" for delta in deltas)


@pytest.mark.parametrize("first", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize("second", [True, False], ids=["stream", "whole"])
async def test_a_hit_reads_like_the_models_own_answer(first: bool, second: bool) -> None:
    async with serving() as gateway:
        made = await gateway.ask("POST", CHAT, body(stream=first))
        kept = await gateway.ask("POST", CHAT, body(stream=second))
    assert said(made) == said(kept) == "Hello, world!"
    assert (made.headers["x-seekway-cache"], kept.headers["x-seekway-cache"]) == ("miss", "hit")
    assert "age" in kept.headers
    assert len(gateway.backend.requests) == 1
    assert gateway.log().count('"cache":"hit"') == 1


async def test_usage_of_a_hit_says_that_the_prompt_was_cached() -> None:
    async with serving() as gateway:
        for cached in (0, 7):
            answer = msgspec.json.decode((await gateway.ask("POST", CHAT, body())).body)
            assert answer["usage"]["prompt_tokens"] == 7
            assert answer["usage"]["prompt_tokens_details"]["cached_tokens"] == cached


async def test_only_if_cached_is_504_in_the_dialects_own_form() -> None:
    async with serving() as gateway:
        refused = await gateway.ask("POST", CHAT, body(), ["cache-control: only-if-cached"])
        assert (refused.status, refused.error()[0]) == (504, "not_cached")
        await gateway.ask("POST", CHAT, body())
        assert (await gateway.ask("POST", CHAT, body(), ["cache-control: only-if-cached"])).status == 200


async def test_no_store_reaches_the_model_each_time() -> None:
    async with serving() as gateway:
        for _ in range(2):
            answer = await gateway.ask("POST", CHAT, body(), ["cache-control: no-store"])
            assert answer.headers["x-seekway-cache"] == "bypass"
    assert len(gateway.backend.requests) == 2


class Gate:
    """Backends of this script answer when the gate opens."""

    def __init__(self) -> None:
        self.open = asyncio.Event()

    def script(self, _request: GenerateRequest) -> Sequence[Step]:
        return (self.open, *reply("shared"))


async def follow(gateway: Served, streams: Sequence[bool]) -> list[asyncio.Task[Answer]]:
    """Equal requests, the first of which the backend has."""
    asked = [asyncio.ensure_future(gateway.ask("POST", CHAT, body(stream=streams[0])))]
    await gateway.backend.started.wait()
    asked += [asyncio.ensure_future(gateway.ask("POST", CHAT, body(stream=stream))) for stream in streams[1:]]
    return asked


async def test_equal_requests_under_way_reach_the_model_once() -> None:
    gate = Gate()
    async with serving(FakeBackend(gate.script)) as gateway:
        asked = await follow(gateway, (True, False, True, False))
        gate.open.set()
        answers = await asyncio.gather(*asked)
    assert [said(answer) for answer in answers] == ["shared"] * 4
    assert len(gateway.backend.requests) == 1
    assert gateway.parts.cache_counts.hits == 3


async def test_a_leader_whose_client_leaves_costs_the_others_nothing() -> None:
    gate = Gate()
    async with serving(FakeBackend(gate.script)) as gateway:
        async with gateway.connect() as connection:
            await connection.send("POST", CHAT, body(stream=True))
            await gateway.backend.started.wait()
            follower = asyncio.ensure_future(gateway.ask("POST", CHAT, body()))
        await gateway.backend.idle.wait()
        gate.open.set()
        assert said(await follower) == "shared"
    assert gateway.backend.cancelled == 1
    assert gateway.backend.completed == 1


async def test_a_backend_that_fails_leaves_nothing_in_the_cache() -> None:
    async with serving(FakeBackend([*reply("a")[:1], BackendUnavailable("gone")])) as gateway:
        asked = 0
        for _ in range(2):
            answer = await gateway.ask("POST", CHAT, body())
            assert answer.error()[0] == "backend_unavailable"
            # Once or, tried again, more often: nothing was kept that could have answered.
            assert len(gateway.backend.requests) > asked
            asked = len(gateway.backend.requests)


async def test_a_warmed_cache_answers_without_the_model() -> None:
    done: list[int] = []
    bodies = [body(text) for text in ("one", "two", "one", "three")]
    async with serving() as gateway, open_session() as session:
        warming = Warming(f"http://127.0.0.1:{gateway.port}")
        tally = await warming.ask(session, bodies, 2, done.append)
        assert (tally.made + tally.known, tally.failed, done) == (4, 0, [1, 2, 3, 4])
        assert len(gateway.backend.requests) == 3
        again = await warming.ask(session, bodies, 4, done.append)
        assert (again.known, again.hit_ratio) == (4, 1.0)
        drawn = await warming.ask(session, [body(temperature=1), b"{"], 1, done.append)
        assert (drawn.uncached, drawn.failed) == (1, 1)
        assert "invalid_json" in drawn.problem
        with pytest.raises(NotFound, match=r"cache\.enabled"):
            await read_stats(session, warming)


async def test_warming_without_a_gateway_says_so_at_once() -> None:
    async with open_session() as session:
        for url in ("http://127.0.0.1:1", "nonsense"):
            with pytest.raises(BackendUnavailable):
                await Warming(url).ask(session, [body()], 1, lambda _: None)
