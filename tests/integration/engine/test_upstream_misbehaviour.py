"""Servers that misbehave on a real socket: each is a clear error, and the backend's one connection is free again afterwards.

All of it on asyncio's loop and on uvloop, which the gateway runs on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
import uvloop

from seekway.core.errors import (
    BackendProtocolError,
    BodyTooLarge,
    ConfigError,
    DeadlineExceeded,
    RateLimited,
    SeekwayError,
    StreamInterrupted,
)
from seekway.core.sections.backends import BackendSettings
from seekway.core.types import GenerateRequest, Message
from seekway.engine.upstream.backend import UpstreamBackend
from tests.fakes.upstream import JSON, STREAM, Exchange, FakeUpstream, Script, content, finish, good_chat
from tests.integration.engine.upstream_calls import HELLO, KEY, WELL, answer, ask, collect, connected


@pytest.fixture(params=["asyncio", "uvloop"])
def on(request: pytest.FixtureRequest) -> Callable[[Callable[[], Awaitable[None]]], None]:
    """Runs a test's coroutine on one of the two loops."""
    factory = asyncio.new_event_loop if request.param == "asyncio" else uvloop.new_event_loop

    def run(main: Callable[[], Awaitable[None]]) -> None:
        async def bounded() -> None:
            async with asyncio.timeout(60):
                await main()

        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(bounded())

    return run


On = Callable[[Callable[[], Awaitable[None]]], None]


async def _reset_in_mid_stream(exchange: Exchange) -> None:
    await exchange.stream()
    await exchange.event(content("Hello"))
    exchange.reset()


async def _truncated_event(exchange: Exchange) -> None:
    await exchange.stream()
    await exchange.chunk(b'data: {"choices": [{"ind')
    await exchange.end()


async def _no_sse(exchange: Exchange) -> None:
    await exchange.stream()
    await exchange.chunk(b"data: not JSON at all\n\n")
    await exchange.end()


async def _garbage_first(exchange: Exchange) -> None:
    await exchange.send(b"\x00\x01\x02garbage HTTP/1.1 200 OK\r\n\r\n")
    await exchange.until_gone()


async def _a_head_that_dribbles(exchange: Exchange) -> None:
    await exchange.send(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    with suppress(ConnectionError):
        while not exchange.client_gone.is_set():
            await exchange.send(b"x")
            await asyncio.sleep(0.01)


async def _chunk_extensions_that_dribble(exchange: Exchange) -> None:
    await exchange.stream()
    await exchange.event(content("Hello"))
    await exchange.send(b"5;")
    with suppress(ConnectionError):
        while not exchange.client_gone.is_set():
            await exchange.send(b"x")
            await asyncio.sleep(0.01)


MISBEHAVIOURS: list[tuple[Script, type[SeekwayError]]] = [
    (_reset_in_mid_stream, StreamInterrupted),
    (_truncated_event, StreamInterrupted),
    (_no_sse, BackendProtocolError),
    (_garbage_first, BackendProtocolError),
    (_a_head_that_dribbles, DeadlineExceeded),
    (_chunk_extensions_that_dribble, DeadlineExceeded),
    (answer(429, b"{}", JSON), RateLimited),
    (answer(200, b"", JSON, "Content-Encoding: br"), BackendProtocolError),
    (answer(200, b"", STREAM, "Transfer-Encoding: chunked"), BackendProtocolError),
]


@pytest.mark.parametrize(("script", "error"), MISBEHAVIOURS)
def test_each_misbehaviour_has_its_error_and_leaves_the_next_request_alone(
    script: Script, error: type[SeekwayError], on: On
) -> None:
    async def main() -> None:
        async with connected(script, good_chat, max_connections=1, idle_timeout_s=0.3) as (_, backend):
            with pytest.raises(SeekwayError) as caught:
                await collect(backend)
            assert type(caught.value) is error
            assert KEY not in caught.value.message
            assert await collect(backend) == HELLO
            assert (backend.busy, backend.connections) == (0, 1)

    on(main)


def test_what_an_idle_connection_says_closes_it(on: On) -> None:
    async def main() -> None:
        said, gone = asyncio.Event(), asyncio.Event()

        async def talkative(exchange: Exchange) -> None:
            await good_chat(exchange)
            await said.wait()
            await exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL")
            await exchange.until_gone()
            gone.set()

        async with connected(talkative, good_chat) as (upstream, backend):
            assert await collect(backend) == HELLO
            assert backend.connections == 1
            said.set()
            await asyncio.wait_for(gone.wait(), 20)
            assert await collect(backend) == HELLO
            assert upstream.connections == 2

    on(main)


def test_an_early_answer_to_a_large_request_is_heard(on: On) -> None:
    async def main() -> None:
        served = asyncio.Event()

        async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            body = b'{"error":{"message":"too large"}}'
            head = f"HTTP/1.1 413 Too Large\r\n{JSON}\r\nContent-Length: {len(body)}\r\n\r\n"
            writer.write(head.encode() + body)
            with suppress(ConnectionError):
                while await reader.read(1 << 16):
                    pass
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
            served.set()

        server = await asyncio.start_server(refuse, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        backend = UpstreamBackend(BackendSettings("fake", url), KEY)
        large = GenerateRequest("r1", "m", (Message("user", "x" * 32_000_000),))
        with pytest.raises(BodyTooLarge):
            await collect(backend, large)
        assert (backend.busy, backend.connections) == (0, 0)
        await served.wait()
        await backend.close()
        server.close()
        await server.wait_closed()

    on(main)


@pytest.mark.parametrize("headers", [("Connection: close",), ()])
def test_a_server_that_closes_after_each_answer_is_connected_to_anew(headers: tuple[str, ...], on: On) -> None:
    async def main() -> None:
        async def script(exchange: Exchange) -> None:
            await exchange.head(200, STREAM, *headers)
            await exchange.send(WELL)
            exchange.hang_up()

        async with connected(script, max_connections=1) as (upstream, backend):
            for _ in range(3):
                assert await collect(backend) == HELLO
            assert upstream.connections == 3
            assert backend.busy == 0

    on(main)


def test_many_requests_at_once_share_the_connections_that_there_are(on: On) -> None:
    async def main() -> None:
        async with connected(good_chat, max_connections=3) as (upstream, backend):
            answers = await asyncio.gather(*(collect(backend) for _ in range(30)))
            assert answers == [HELLO] * 30
            assert upstream.connections <= 3
            assert (backend.busy, backend.connections) == (0, upstream.connections)

    on(main)


def test_a_reader_that_does_not_read_holds_the_server_back(on: On) -> None:
    """Without it all 64 MB would come to lie in our memory; what the kernel's own buffers take is far less."""

    async def main() -> None:
        sent = 0
        finished = asyncio.Event()

        async def flood(exchange: Exchange) -> None:
            nonlocal sent
            await exchange.stream()
            for _ in range(1000):
                await exchange.event(content("x" * 64_000))
                sent += 1
            await exchange.event(finish())
            await exchange.end()
            finished.set()

        async with connected(flood) as (_, backend):
            events = aiter(backend.generate(ask()))
            await anext(events)
            before = -1
            while before != sent:
                before = sent
                await asyncio.sleep(0.2)
            assert not finished.is_set()
            assert len([event async for event in events]) == 999 + 2
            assert (backend.busy, backend.connections) == (0, 1)

    on(main)


def test_ipv6_and_a_name_with_both_kinds_of_addresses_are_reached(on: On) -> None:
    async def main() -> None:
        async with FakeUpstream(good_chat) as upstream:
            # "localhost" is ::1 first on many machines; this server listens on 127.0.0.1 alone.
            backend = UpstreamBackend(BackendSettings("fake", f"http://localhost:{upstream.port}/v1"), KEY)
            assert await collect(backend) == HELLO
            assert upstream.requests[0].headers["host"] == f"localhost:{upstream.port}"
            await backend.close()

    on(main)


@pytest.mark.parametrize("settings", [{"url": "https://"}, {"url": "http://a b/v1"}, {"url": "http://x:99999/v1"}])
async def test_an_address_that_cannot_be_called_is_the_operators_to_mend(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        UpstreamBackend(BackendSettings("fake", settings["url"]), KEY)


@pytest.mark.parametrize("key", ["sk-\r\nX-Evil: 1", "sk-ключ", "sk-\x00"])
async def test_a_key_that_no_header_can_carry_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        UpstreamBackend(BackendSettings("fake", "http://127.0.0.1/v1"), key)
    assert "sk-" not in caught.value.message
