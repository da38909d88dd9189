"""What the upstream backend makes of a server's answers, good, refused, broken off and nonsensical."""

from __future__ import annotations

import asyncio
import gzip
import json

import pytest

from seekway.core.errors import (
    BackendProtocolError,
    BackendUnavailable,
    InsufficientBalance,
    ModelNotFound,
    Overloaded,
    RateLimited,
    SeekwayError,
    StreamInterrupted,
)
from seekway.core.ports import Backend
from seekway.core.types import (
    Finish,
    TextDelta,
    Usage,
)
from seekway.engine.upstream import generation as generation_module
from tests.fakes.upstream import (
    JSON,
    STREAM,
    USAGE,
    Exchange,
    Script,
    content,
    finish,
    good_chat,
)
from tests.integration.engine.upstream_calls import (
    HELLO,
    KEY,
    WELL,
    answer,
    ask,
    collect,
    connected,
    refusal,
    stream_of,
)


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
    monkeypatch.setattr(generation_module, "MAX_EVENT_BYTES", 64 * 1024)
    monkeypatch.setattr(generation_module, "MAX_STREAM_BYTES", 256 * 1024)
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
