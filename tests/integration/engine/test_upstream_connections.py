"""How the upstream backend connects, waits, gives up, lets go and tries again."""

from __future__ import annotations

import asyncio
import shutil
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
import uvloop

from seekway.core.errors import (
    BackendUnavailable,
    DeadlineExceeded,
    Overloaded,
    SeekwayError,
)
from seekway.core.sections.backends import BackendSettings
from seekway.core.types import (
    Finish,
    TextDelta,
)
from seekway.engine.upstream import dialing, names
from seekway.engine.upstream import generation as generation_module
from seekway.engine.upstream.backend import UpstreamBackend
from tests.fakes.upstream import (
    Exchange,
    FakeUpstream,
    Script,
    content,
    finish,
    good_chat,
)
from tests.integration.engine.upstream_calls import HELLO, KEY, WELL, ask, collect, connected, refusal, stream_of


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


async def _self_signed(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """A server's side of TLS for 127.0.0.1, and its certificate."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("making a certificate needs openssl")
    certificate, key = folder / "cert.pem", folder / "key.pem"
    subject = ("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2")
    making = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", *subject)
    process = await asyncio.create_subprocess_exec(
        openssl, *making, "-keyout", key, "-out", certificate, stderr=asyncio.subprocess.DEVNULL
    )
    assert await process.wait() == 0
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    return tls, certificate


async def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    tls, _ = await _self_signed(tmp_path)
    async with FakeUpstream(good_chat, tls=tls) as upstream:
        error = await refusal(good_chat, url=upstream.url.replace("http://", "https://"))
        assert type(error) is BackendUnavailable
        assert "certificate" in error.message
        assert upstream.requests == []


@pytest.mark.parametrize("factory", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_a_trusted_server_is_talked_to_over_tls_and_its_connection_kept(
    factory: Callable[[], asyncio.AbstractEventLoop], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        tls, certificate = await _self_signed(tmp_path)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        dialing.trusted_context.cache_clear()
        async with FakeUpstream(good_chat, good_chat, _silent_after_headers, tls=tls) as upstream:
            url = upstream.url.replace("http://", "https://")
            backend = UpstreamBackend(BackendSettings("fake", url, idle_timeout_s=0.5), KEY)
            assert [await collect(backend) for _ in range(2)] == [HELLO, HELLO]
            with pytest.raises(DeadlineExceeded):
                await collect(backend)
            assert (upstream.connections, backend.busy, backend.connections) == (1, 0, 0)
            wrong = UpstreamBackend(BackendSettings("fake", url.replace("127.0.0.1", "localhost")), KEY)
            with pytest.raises(BackendUnavailable) as caught:
                await collect(wrong)
            assert "certificate" in caught.value.message
            await backend.close()
            await wrong.close()

    try:
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(asyncio.wait_for(main(), 60))
    finally:
        dialing.trusted_context.cache_clear()


async def test_a_name_service_that_is_away_takes_no_known_backend_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async def gone(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_AGAIN, "try again")

    async def closing(exchange: Exchange) -> None:
        await good_chat(exchange)
        exchange.hang_up()

    monkeypatch.setattr(names, "FRESH_S", 0.0)
    async with connected(closing) as (upstream, backend):
        assert await collect(backend) == HELLO
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", gone)
        assert await collect(backend) == HELLO
        assert upstream.connections == 2
        unknown = UpstreamBackend(BackendSettings("fake", "http://elsewhere/v1"), KEY)
        with pytest.raises(BackendUnavailable):
            await collect(unknown)
        await unknown.close()


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


async def test_the_end_of_the_body_may_trail_the_finish_and_the_connection_is_still_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(generation_module, "DRAIN_S", 20.0)
    finished = asyncio.Event()

    async def script(exchange: Exchange) -> None:
        await exchange.stream()
        await exchange.event(finish())
        await exchange.event("[DONE]")
        await finished.wait()
        await exchange.end()

    async with connected(script, good_chat) as (upstream, backend):
        async for event in backend.generate(ask()):
            if isinstance(event, Finish):
                finished.set()
        assert await collect(backend) == HELLO
        assert upstream.connections == 1


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
