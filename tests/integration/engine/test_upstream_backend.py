"""The upstream backend against a loopback server that behaves, misbehaves and truncates."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import socket
import struct
import traceback
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from seekway.core.errors import (
    BackendProtocolError,
    BackendUnavailable,
    DeadlineExceeded,
    InsufficientBalance,
    ModelNotFound,
    Overloaded,
    RateLimited,
    SeekwayError,
    StreamInterrupted,
    UnsupportedParameter,
)
from seekway.core.ports import Backend
from seekway.core.settings import BackendSettings
from seekway.core.types import (
    EmbedRequest,
    Event,
    Finish,
    GenerateRequest,
    Message,
    RerankRequest,
    RerankScore,
    TextDelta,
    Usage,
)
from seekway.engine.upstream import backend as backend_module
from seekway.engine.upstream.backend import UpstreamBackend
from tests.fakes.upstream import (
    JSON,
    STREAM,
    USAGE,
    Exchange,
    FakeUpstream,
    Script,
    content,
    finish,
    good_chat,
)

KEY = "sk-very-secret-0123456789"
HELLO: list[Event] = [TextDelta("Hello"), TextDelta(" world"), Usage(7, 2), Finish("stop")]
WELL = b"".join(
    f"data: {text if isinstance(text, str) else json.dumps(text)}\n\n".encode()
    for text in (content("Hello"), content(" world"), finish(), USAGE, "[DONE]")
)


@asynccontextmanager
async def connected(
    *scripts: Script, url: str | None = None, **settings: Any
) -> AsyncGenerator[tuple[FakeUpstream, UpstreamBackend]]:
    settings = {"idle_timeout_s": 30.0, **settings}
    async with FakeUpstream(*scripts) as upstream:
        backend = UpstreamBackend(BackendSettings("fake", url or upstream.url, **settings), KEY)
        try:
            yield upstream, backend
        finally:
            await backend.close()


def ask(deadline_s: float | None = None) -> GenerateRequest:
    return GenerateRequest("r1", "m", (Message("user", "hi"),), deadline_s=deadline_s)


async def collect(backend: UpstreamBackend, request: GenerateRequest | None = None) -> list[Event]:
    return [event async for event in backend.generate(request or ask())]


def answer(status: int, body: bytes, *headers: str) -> Script:
    async def script(exchange: Exchange) -> None:
        await exchange.answer(status, body, *headers)

    return script


def stream_of(data: bytes) -> Script:
    return answer(200, data, STREAM)


async def refusal(*scripts: Script, **settings: Any) -> SeekwayError:
    async with connected(*scripts, **settings) as (_, backend):
        with pytest.raises(SeekwayError) as caught:
            await collect(backend)
        # A whole traceback, causes and contexts included, is what a careless log would show.
        assert KEY not in "".join(traceback.format_exception(caught.value)) + repr(backend) + repr(caught.value)
        assert not isinstance(caught.value.__context__, aiohttp.ClientError)
        return caught.value


async def test_a_good_answer_streams_and_the_request_is_what_was_meant() -> None:
    async with connected(good_chat) as (upstream, backend):
        port: Backend = backend
        assert [event async for event in port.generate(ask())] == HELLO
    request = upstream.requests[0]
    assert (request.method, request.path) == ("POST", "/v1/chat/completions")
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["accept-encoding"] == "identity"
    assert request.json()["messages"] == [{"role": "user", "content": "hi"}]


async def test_deltas_come_while_the_server_is_still_writing() -> None:
    proceed = asyncio.Event()

    async def script(exchange: Exchange) -> None:
        await exchange.stream()
        await exchange.event(content("Hello"))
        await proceed.wait()
        await exchange.event(content(" world"))
        await exchange.event(finish())
        await exchange.event(USAGE)
        await exchange.event("[DONE]")
        await exchange.end()

    async with connected(script) as (_, backend):
        events = aiter(backend.generate(ask()))
        assert await anext(events) == TextDelta("Hello")
        proceed.set()
        assert [event async for event in events] == HELLO[1:]


async def test_connections_are_kept_and_used_again() -> None:
    async with connected(good_chat) as (upstream, backend):
        for _ in range(3):
            assert await collect(backend) == HELLO
        assert (upstream.connections, len(upstream.requests)) == (1, 3)


async def test_crlf_comments_and_several_dones_are_read_like_any_stream() -> None:
    noisy = b": keep-alive\r\n\r\n" + WELL.replace(b"\n", b"\r\n") + b"data: [DONE]\r\n\r\n" * 2
    async with connected(stream_of(noisy)) as (_, backend):
        assert await collect(backend) == HELLO


async def test_a_compressed_answer_is_read_although_none_was_asked_for() -> None:
    async with connected(answer(200, gzip.compress(WELL), STREAM, "Content-Encoding: gzip")) as (_, backend):
        assert await collect(backend) == HELLO


async def test_a_clean_end_after_the_finish_reason_needs_no_done_and_no_usage() -> None:
    data = WELL[: WELL.index(b'data: {"choices": []')]
    async with connected(stream_of(data)) as (_, backend):
        assert await collect(backend) == [*HELLO[:2], Usage(0, 0), Finish("stop")]


@pytest.mark.parametrize("cut", [b'data: {"choices": [{"index": 0, "delta": {}', b" world"])
async def test_a_stream_cut_off_cleanly_is_interrupted_and_not_finished(cut: bytes) -> None:
    error = await refusal(stream_of(WELL[: WELL.index(cut)]))
    assert type(error) is StreamInterrupted


async def test_a_cut_at_any_byte_before_the_finish_reason_is_whole_is_never_a_finish() -> None:
    whole = WELL.index(json.dumps(finish()).encode()) + len(json.dumps(finish())) + 2
    cuts = range(0, whole, 7)
    async with connected(*(stream_of(WELL[:cut]) for cut in cuts)) as (_, backend):
        for _ in cuts:
            with pytest.raises(StreamInterrupted):
                await collect(backend)


async def _reset(exchange: Exchange) -> None:
    await exchange.stream()
    await exchange.event(content("Hello"))
    exchange.reset()


async def _truncated_chunks(exchange: Exchange) -> None:
    await exchange.stream()
    await exchange.event(content("Hello"))
    await exchange.send(b"ff\r\ndata: ")
    exchange.hang_up()


async def _short_of_its_length(exchange: Exchange) -> None:
    await exchange.head(200, STREAM, f"Content-Length: {len(WELL)}")
    await exchange.send(WELL[:60])
    exchange.hang_up()


async def _error_event(exchange: Exchange) -> None:
    await exchange.stream()
    await exchange.event(content("Hello"))
    await exchange.event({"error": {"message": f"out of memory {KEY}"}})
    await exchange.end()


@pytest.mark.parametrize("script", [_reset, _truncated_chunks, _short_of_its_length, _error_event])
async def test_an_answer_that_breaks_off_is_interrupted(script: Script) -> None:
    assert type(await refusal(script)) is StreamInterrupted


async def test_a_length_that_is_too_short_cuts_the_stream_and_is_seen() -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.head(200, STREAM, "Content-Length: 70")
        await exchange.send(WELL)
        exchange.hang_up()

    # Interrupted, or no HTTP at all: the bytes over the length look like another answer's.
    assert isinstance(await refusal(script), (StreamInterrupted, BackendProtocolError))


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (stream_of(b"data: {broken\n\n"), BackendProtocolError),
        (stream_of(b"data: [DONE]\n\n"), BackendProtocolError),
        (answer(200, b"<html>Welcome</html>", "Content-Type: text/html"), BackendProtocolError),
        (answer(200, b'{"choices":[]}', JSON), BackendProtocolError),
        (answer(200, b'{"error":{"message":"no such model","code":404}}', JSON), SeekwayError),
        (answer(301, b"", "Location: http://127.0.0.1:9/elsewhere"), BackendProtocolError),
        (answer(200, b"not gzip", STREAM, "Content-Encoding: gzip"), StreamInterrupted),
        (answer(401, f"{KEY} is wrong".encode(), "Content-Type: text/plain"), BackendUnavailable),
        (answer(401, json.dumps({"error": {"message": f"bad {KEY}"}}).encode(), JSON), BackendUnavailable),
        (answer(402, b'{"error":{"message":"Insufficient Balance"}}', JSON), InsufficientBalance),
        (answer(404, b'{"error":{"message":"The model m does not exist"}}', JSON), ModelNotFound),
        (answer(500, b"<html>" + b"x" * 100_000, "Content-Type: text/html"), BackendUnavailable),
        (answer(503, b""), Overloaded),
    ],
)
async def test_each_refusal_and_each_nonsense_has_its_error(script: Script, error: type[SeekwayError]) -> None:
    assert isinstance(await refusal(script), error)


async def test_a_rate_limit_says_when_to_come_back() -> None:
    error = await refusal(answer(429, b"{}", JSON, "Retry-After: 7"))
    assert isinstance(error, RateLimited)
    assert error.retry_after_s == 7.0


async def test_a_refusal_cut_off_in_its_body_is_still_that_refusal() -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.head(402, JSON, "Content-Length: 500")
        await exchange.send(b'{"error":')
        exchange.hang_up()

    assert type(await refusal(script)) is InsufficientBalance


async def test_no_http_at_all_is_a_protocol_error() -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.send(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
        exchange.hang_up()

    assert type(await refusal(script)) is BackendProtocolError


@pytest.mark.parametrize("piece", [b"data: " + b"x" * 1000, b": " + b"x" * 1000 + b"\n"], ids=["a line", "all of it"])
async def test_a_stream_without_bound_is_cut_and_the_connection_with_it(
    piece: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backend_module, "MAX_EVENT_BYTES", 64 * 1024)
    monkeypatch.setattr(backend_module, "MAX_STREAM_BYTES", 256 * 1024)
    refused = asyncio.Event()

    async def script(exchange: Exchange) -> None:
        await exchange.stream()
        try:
            for _ in range(100_000):
                await exchange.chunk(piece)
        except ConnectionError:
            refused.set()
            raise

    async with connected(script) as (_, backend):
        with pytest.raises(BackendProtocolError):
            await collect(backend)
        await asyncio.wait_for(refused.wait(), 20)


async def test_a_refused_connection_is_unavailable() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        error = await refusal(good_chat, url=f"http://127.0.0.1:{unused.getsockname()[1]}/v1")
    assert type(error) is BackendUnavailable


async def test_an_unknown_host_is_unavailable() -> None:
    assert type(await refusal(good_chat, url="http://no-such-host.invalid/v1")) is BackendUnavailable


async def test_a_plain_server_under_an_https_address_is_unavailable() -> None:
    async with FakeUpstream(good_chat) as upstream:
        error = await refusal(good_chat, url=upstream.url.replace("http://", "https://"))
        assert type(error) is BackendUnavailable
        assert upstream.requests == []


async def _silent_before_headers(exchange: Exchange) -> None:
    await exchange.until_gone()


async def _silent_after_headers(exchange: Exchange) -> None:
    await exchange.stream()
    await exchange.event(content("Hello"))
    await exchange.until_gone()


@pytest.mark.parametrize("script", [_silent_before_headers, _silent_after_headers])
async def test_silence_has_an_end(script: Script) -> None:
    assert type(await refusal(script, idle_timeout_s=0.1)) is DeadlineExceeded


@pytest.mark.parametrize("script", [_silent_before_headers, _silent_after_headers])
async def test_the_callers_deadline_is_kept(script: Script) -> None:
    async with connected(script) as (_, backend):
        with pytest.raises(DeadlineExceeded):
            await collect(backend, ask(deadline_s=0.1))


async def test_a_deadline_is_kept_although_the_server_goes_on_talking() -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.stream()
        while True:
            await exchange.event(content("more"))
            await asyncio.sleep(0)

    async with connected(script) as (_, backend):
        with pytest.raises(DeadlineExceeded):
            await collect(backend, ask(deadline_s=0.2))


async def test_a_slow_consumer_is_not_cut_by_the_deadline_of_a_stream_that_is_already_there() -> None:
    async with connected(stream_of(WELL)) as (_, backend):
        events = aiter(backend.generate(ask(deadline_s=30.0)))
        assert await anext(events) == TextDelta("Hello")
        assert [event async for event in events] == HELLO[1:]


def _seen_gone() -> tuple[Script, asyncio.Event]:
    gone = asyncio.Event()

    async def script(exchange: Exchange) -> None:
        await exchange.stream()
        await exchange.event(content("Hello"))
        await exchange.until_gone()
        gone.set()

    return script, gone


async def test_closing_the_iterator_lets_the_server_see_it() -> None:
    script, gone = _seen_gone()
    async with connected(script, good_chat, max_connections=1) as (_, backend):
        events = backend.generate(ask())
        assert await anext(events) == TextDelta("Hello")
        await events.aclose()
        await asyncio.wait_for(gone.wait(), 20)
        assert await collect(backend) == HELLO


async def test_cancelling_the_task_lets_the_server_see_it_before_and_after_the_headers() -> None:
    for before in (True, False):
        script, gone = _seen_gone()
        asked = asyncio.Event()

        async def silent(exchange: Exchange, gone: asyncio.Event = gone, asked: asyncio.Event = asked) -> None:
            asked.set()
            await exchange.until_gone()
            gone.set()

        async def announced(exchange: Exchange, script: Script = script, asked: asyncio.Event = asked) -> None:
            asked.set()
            await script(exchange)

        async with connected(silent if before else announced) as (_, backend):
            task = asyncio.ensure_future(collect(backend))
            await asyncio.wait_for(asked.wait(), 20)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await asyncio.wait_for(gone.wait(), 20)


async def test_closing_the_backend_ends_what_runs_and_takes_nothing_more() -> None:
    script, gone = _seen_gone()
    async with connected(script) as (_, backend):
        events = backend.generate(ask())
        await anext(events)
        await backend.close()
        await backend.close()
        with pytest.raises(BackendUnavailable):
            await anext(events)
        await asyncio.wait_for(gone.wait(), 20)
        with pytest.raises(BackendUnavailable):
            await collect(backend)


async def test_connections_are_bounded_and_a_full_pool_is_overload() -> None:
    script, _ = _seen_gone()
    async with connected(script, max_connections=2, connect_timeout_s=0.1) as (upstream, backend):
        running = [backend.generate(ask()) for _ in range(2)]
        for events in running:
            await anext(events)
        with pytest.raises(Overloaded):
            await collect(backend)
        with pytest.raises(DeadlineExceeded):
            await collect(backend, ask(deadline_s=0.01))
        assert upstream.connections == 2
        await running[0].aclose()
        await anext(backend.generate(ask()))


def _dies_when_asked_again(close: Callable[[Exchange], None]) -> Script:
    async def script(exchange: Exchange) -> None:
        close(exchange)

    return script


@pytest.mark.parametrize("close", [Exchange.hang_up, Exchange.reset])
async def test_a_kept_connection_that_died_is_replaced_once(close: Callable[[Exchange], None]) -> None:
    dying = _dies_when_asked_again(close)
    async with connected(good_chat, dying, good_chat) as (upstream, backend):
        assert await collect(backend) == HELLO
        assert await collect(backend) == HELLO
        assert [request.connection for request in upstream.requests] == [1, 1, 2]
    async with connected(good_chat, dying) as (upstream, backend):
        assert await collect(backend) == HELLO
        with pytest.raises(BackendUnavailable):
            await collect(backend)
        assert [request.connection for request in upstream.requests] == [1, 1, 2]


@pytest.mark.parametrize("close", [Exchange.hang_up, Exchange.reset])
async def test_a_fresh_connection_that_died_is_not_tried_again(close: Callable[[Exchange], None]) -> None:
    async with connected(_dies_when_asked_again(close)) as (upstream, backend):
        with pytest.raises(BackendUnavailable):
            await collect(backend)
        assert len(upstream.requests) == 1


@pytest.mark.parametrize("begun", [b"HTTP/1.1 200 OK\r\nContent-", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 2"])
async def test_a_request_is_never_repeated_once_its_answer_began(begun: bytes) -> None:
    async def script(exchange: Exchange) -> None:
        await exchange.send(begun)
        exchange.hang_up()

    async with connected(good_chat, script, good_chat) as (upstream, backend):
        assert await collect(backend) == HELLO
        with pytest.raises(SeekwayError):
            await collect(backend)
        assert len(upstream.requests) == 2


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
