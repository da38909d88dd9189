"""What comes over a socket and is no decent request costs little, is answered where it can be, and harms nobody else."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from seekway.core.sections.gateway import GatewaySettings
from seekway.gateway.fast_path import FastHttpProtocol
from seekway.gateway.http_protocol import MOST_HEAD_BYTES
from tests.fakes.backend import HANG, FakeBackend
from tests.integration.gateway.served import Answer, Connection, serving

CHAT = "/v1/chat/completions"
BODY = b'{"model":"fake","messages":[{"role":"user","content":"hi"}]}'
STREAM = BODY[:-1] + b',"stream":true}'
KEY = "sk-never-to-be-logged"


class Impatient(FastHttpProtocol):
    head_timeout_s = 0.2


async def whole(connection: Connection) -> bytes:
    """All that comes until the server closes."""
    with contextlib.suppress(ConnectionResetError):
        return await connection.reader.read()
    return b""


async def test_headers_that_do_not_come_are_408() -> None:
    async with serving(http=Impatient) as served, served.connect() as connection:
        connection.writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n")
        answer = await connection.answer()
        assert (answer.status, answer.error()[0]) == (408, "request_timeout")
        assert await whole(connection) == b""
        assert (await served.ask("POST", CHAT, BODY)).status == 200


async def test_a_connection_that_says_nothing_is_closed() -> None:
    async with serving(http=Impatient) as served, served.connect() as connection:
        assert await whole(connection) == b""


async def test_later_headers_that_do_not_come_are_408_too() -> None:
    async with serving(http=Impatient) as served, served.connect() as connection:
        assert (await connection.ask("POST", CHAT, BODY)).status == 200
        connection.writer.write(b"GET /health HTTP/1.1\r\nx: ")
        assert (await connection.answer()).status == 408


async def test_an_answer_may_take_longer_than_headers_may() -> None:
    waits = asyncio.Event()
    async with serving(FakeBackend((waits,)), http=Impatient) as served, served.connect() as connection:
        # A second head, cut off, waits behind the first answer.
        await connection.send("POST", CHAT, BODY)
        connection.writer.write(b"GET /health HTTP/1.1\r\nx: ")
        await served.backend.started.wait()
        loop = asyncio.get_running_loop()
        twice = loop.create_future()
        loop.call_later(Impatient.head_timeout_s * 2, twice.set_result, None)
        await twice
        assert served.backend.running == 1
        waits.set()
        assert (await connection.head()).status == 502


@pytest.mark.parametrize("line", [b"x: " + b"y" * 200, b"x" * 200 + b": y"])
async def test_headers_without_end_are_refused(line: bytes) -> None:
    async with serving() as served, served.connect() as connection:
        connection.writer.write(b"GET /health HTTP/1.1\r\n")
        sent = 0
        with contextlib.suppress(ConnectionError):
            while sent < 256 * MOST_HEAD_BYTES and not connection.reader.at_eof():
                connection.writer.write((line + b"\r\n") * 20)
                await connection.writer.drain()
                sent += 20 * (len(line) + 2)
        # Its words may be lost when it closes on a client that still sends.
        assert sent < 256 * MOST_HEAD_BYTES
        assert (await served.ask("GET", "/health/live")).status == 200


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"hello\r\n\r\n",
        b"GET http:// HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nhost: x\r\n\r\n",
        b"POST /v1/embeddings HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /v1/embeddings HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999999999999999\r\n\r\n",
        b"POST /v1/embeddings HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
        f"POST /v1/embeddings HTTP/1.1\r\nauthorization: Bearer {KEY}\r\nbad header\r\n\r\n".encode(),
    ],
)
async def test_what_is_no_http_gets_the_envelope_and_is_not_logged(sent: bytes) -> None:
    async with serving() as served, served.connect() as connection:
        connection.writer.write(sent)
        answer = await connection.answer()
        assert answer.status == 400
        assert answer.error()[0] == "invalid_request_error"
        assert (await served.ask("POST", CHAT, BODY)).status == 200
        assert KEY not in served.log()


@pytest.mark.parametrize("chunk", [b"zz\r\n", b"ffffffffffffffffff\r\n", b"5\r\nabc\r\n\r\n"])
async def test_broken_chunks_leave_the_server_well(chunk: bytes) -> None:
    async with serving(gateway=GatewaySettings(request_timeout_s=1)) as served, served.connect() as connection:
        connection.writer.write(
            b"POST /v1/embeddings HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n" + chunk
        )
        await whole(connection)
        assert (await served.ask("POST", CHAT, BODY)).status == 200
        assert "Traceback" not in served.log()


@pytest.mark.parametrize(
    "path",
    [
        "/../../etc/passwd",
        "/v1/models/../../x",
        "/v1/models/%2e%2e%2f",
        "//v1//models",
        "/%00",
        "/" + "a" * 9000,
        "/%ff%fe",
    ],
)
async def test_odd_paths_are_404(path: str) -> None:
    async with serving() as served:
        answer = await served.ask("GET", path)
        assert answer.status == 404
        assert answer.error()[0] in ("not_found", "model_not_found")


async def test_pipelined_requests_are_answered_in_their_order() -> None:
    async with serving() as served, served.connect() as connection:
        for _ in range(20):
            await connection.send("POST", CHAT, BODY)
            await connection.send("GET", "/health/live")
        answers: list[Answer] = [await connection.answer() for _ in range(40)]
        assert all(answer.status == 200 for answer in answers)
        assert all(b"chat.completion" in answer.body for answer in answers[::2])


async def test_hundreds_of_idle_connections_hinder_nobody() -> None:
    async with serving() as served, contextlib.AsyncExitStack() as stack:
        for _ in range(400):
            await stack.enter_async_context(served.connect())
        assert (await served.ask("POST", CHAT, BODY)).status == 200


async def test_clients_that_vanish_at_any_moment_leave_nothing_running() -> None:
    async with serving(FakeBackend((HANG,))) as served:
        head = f"POST {CHAT} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(STREAM)}\r\n\r\n".encode()
        request = head + STREAM
        for cut in (1, len(head) // 2, len(head), len(head) + 5, len(request)):
            async with served.connect() as connection:
                served.backend.started.clear()
                connection.writer.write(request[:cut])
                await connection.writer.drain()
                if cut == len(request):
                    await served.backend.started.wait()
        await served.backend.idle.wait()
        assert served.backend.cancelled == 1
        assert "Traceback" not in served.log()
