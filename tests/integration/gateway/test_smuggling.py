"""Requests that two readers could take apart differently are refused, one request has one answer, and nothing is left behind.

Sources of the cases: RFC 9112, sections 2.2, 5, 6 and 11.2; both of the gateway's paths are run over them.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from seekway.core.sections.gateway import GatewaySettings
from seekway.core.types import Finish, GenerateRequest, TextDelta, Usage
from seekway.gateway.fast_path import FastHttpProtocol
from seekway.gateway.http_protocol import MOST_HEAD_BYTES
from tests.fakes.backend import HANG, FakeBackend
from tests.integration.gateway.served import Connection, Served, serving

CHAT = "/v1/chat/completions"
BODY = b'{"model":"fake","messages":[{"role":"user","content":"hi"}]}'
STREAM = BODY[:-1] + b',"stream":true}'
INNER = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n%b" % (len(BODY), BODY)
LIVE = b"GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n"
SMALL = GatewaySettings(max_body_bytes=1024)


class Impatient(FastHttpProtocol):
    head_timeout_s = 0.2


def post(*headers: str, body: bytes = b"", line: str = f"POST {CHAT} HTTP/1.1", end: str = "\r\n") -> bytes:
    return (end.join((line, "host: x", *headers)) + end + end).encode("latin-1") + body


def chunked(*pieces: bytes, trailers: bytes = b"") -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n" + trailers + b"\r\n"


@asynccontextmanager
async def unharmed(
    backend: FakeBackend | None = None, gateway: GatewaySettings | None = None, *, key: str | None = None
) -> AsyncGenerator[tuple[Served, Connection]]:
    """A gateway and a connection to it; afterwards the next client is served and nothing is left of this one."""
    async with serving(backend, gateway, keys=key) as served:
        async with served.connect() as connection:
            yield served, connection
        await served.drain.wait_idle()
        await served.backend.idle.wait()
        assert (await served.ask("GET", "/health/live")).status == 200
        assert served.backend.running == 0
        assert "Traceback" not in served.log()


async def rest(connection: Connection) -> bytes:
    """All that comes until the server closes."""
    with contextlib.suppress(ConnectionError):
        return await connection.reader.read()
    return b""


def statuses(answers: bytes) -> list[bytes]:
    return [part[:3] for part in answers.split(b"HTTP/1.1 ")[1:]]


UPGRADES = (
    ("connection: upgrade", "upgrade: h2c"),
    ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA"),
    ("connection: upgrade", "UPGRADE: websocket"),
)
LENGTH = f"content-length: {len(BODY)}"
TWO_READINGS = [
    ("CL.TE", post("content-length: 6", "transfer-encoding: chunked", body=b"0\r\n\r\nG")),
    ("TE.CL", post("transfer-encoding: chunked", "content-length: 4", body=b"5c\r\n" + INNER + b"\r\n0\r\n\r\n")),
    ("TE.TE", post("transfer-encoding: chunked", "transfer-encoding: identity", body=b"0\r\n\r\n")),
    ("unknown coding", post("transfer-encoding: xchunked", LENGTH, body=BODY)),
    ("coding behind chunked", post("transfer-encoding: chunked, identity", body=b"0\r\n\r\n")),
    ("tab before chunked", post("transfer-encoding:\x0bchunked", LENGTH, body=BODY)),
    ("space before the colon", post("transfer-encoding : chunked", LENGTH, body=BODY)),
    ("space before the length's colon", post(f"content-length : {len(BODY)}", body=BODY)),
    ("folded coding", post("transfer-encoding:\r\n chunked", LENGTH, body=BODY)),
    ("two lengths", post(LENGTH, "content-length: 5", body=BODY)),
    ("the same length twice", post(LENGTH, LENGTH, body=BODY)),
    ("list of lengths", post(f"content-length: {len(BODY)}, {len(BODY)}", body=BODY)),
    ("plus", post(f"content-length: +{len(BODY)}", body=BODY)),
    ("minus", post("content-length: -0", body=BODY)),
    ("hexadecimal", post("content-length: 0x5", body=BODY)),
    ("underscore", post("content-length: 6_1", body=BODY)),
    ("empty length", post("content-length:", body=BODY)),
    ("huge length", post("content-length: 18446744073709551617", body=BODY)),
    ("length with a space within", post("content-length: 6 1", body=BODY)),
    ("lone line feed hides a header", post("x: y\ncontent-length: 5", LENGTH, body=BODY)),
    ("lone carriage return hides a header", post("x: y\rcontent-length: 5", LENGTH, body=BODY)),
    ("line feeds for line ends", post(LENGTH, body=BODY, end="\n")),
    ("NUL in a value", post("x: a\x00b", LENGTH, body=BODY)),
    ("NUL in a name", post("x\x00y: a", LENGTH, body=BODY)),
    ("no name", post(": a", LENGTH, body=BODY)),
    ("first header folded", post(" x: y", LENGTH, body=BODY, line=f"POST {CHAT} HTTP/1.1")),
    ("HTTP/0.9", b"GET /health/live\r\n\r\n"),
    ("HTTP/2.0 line", post(LENGTH, body=BODY, line=f"POST {CHAT} HTTP/2.0")),
    ("HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    ("HTTP/1.10", post(LENGTH, body=BODY, line=f"POST {CHAT} HTTP/1.10")),
    ("lower-case version", post(LENGTH, body=BODY, line=f"POST {CHAT} http/1.1")),
    ("no version", post(LENGTH, body=BODY, line=f"POST {CHAT}")),
    ("authority form", post(LENGTH, body=BODY, line="POST x:80 HTTP/1.1")),
    ("space in the target", post(LENGTH, body=BODY, line=f"POST {CHAT} x HTTP/1.1")),
]


@pytest.mark.parametrize("sent", [row[1] for row in TWO_READINGS], ids=[row[0] for row in TWO_READINGS])
async def test_what_could_be_read_in_two_ways_is_refused(sent: bytes) -> None:
    async with unharmed() as (served, connection):
        # What is smuggled would be answered behind the refusal.
        connection.writer.write(sent + INNER)
        answers = await rest(connection)
        assert statuses(answers) in ([b"400"], []), answers
        assert served.backend.requests == []


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("no size", b"\r\nhello\r\n0\r\n\r\n"),
        ("negative size", b"-1\r\nhello\r\n0\r\n\r\n"),
        ("size with 0x", b"0x5\r\nhello\r\n0\r\n\r\n"),
        ("size over 64 bits", b"10000000000000005\r\nhello\r\n0\r\n\r\n"),
        ("chunk longer than its size", b"3\r\nhello\r\n0\r\n\r\n"),
        ("line feeds for line ends", b"5\nhello\n0\n\n"),
        ("line feed within an extension", b"5;a\nb\r\nhello\r\n0\r\n\r\n"),
        ("space before the size", b" 5\r\nhello\r\n0\r\n\r\n"),
    ],
)
async def test_broken_chunks_smuggle_nothing(name: str, body: bytes) -> None:
    async with unharmed() as (served, connection):
        connection.writer.write(post("transfer-encoding: chunked", body=body + INNER))
        assert b"200" not in statuses(await rest(connection)), name
        assert served.backend.requests == []


@pytest.mark.parametrize("target", ["http://elsewhere/health/live", "HTTP://x:8000/health/live"])
async def test_absolute_targets_are_read_as_paths(target: str) -> None:
    async with unharmed() as (_, connection):
        assert (await connection.ask("GET", target)).status == 200


async def test_chunk_extensions_mean_nothing() -> None:
    async with unharmed() as (_, connection):
        body = b'%x;a=b;c="d"\r\n%b\r\n0;last\r\n\r\n' % (len(BODY), BODY)
        connection.writer.write(post("transfer-encoding: chunked", body=body))
        assert (await connection.answer()).status == 200
        assert (await connection.ask("POST", CHAT, BODY)).status == 200


async def test_a_trailer_is_no_header() -> None:
    async with unharmed(key="sesame") as (served, connection):
        trailers = b"authorization: Bearer sesame\r\nx-request-id: mine\r\n"
        connection.writer.write(post("transfer-encoding: chunked", body=chunked(BODY, trailers=trailers)))
        answer = await connection.answer()
        assert answer.status == 401
        assert answer.headers["x-request-id"] != "mine"
        assert served.backend.requests == []


@pytest.mark.parametrize("flood", [b"x: " + b"y" * 1000 + b"\r\n", b"y" * 1000], ids=["many", "one without end"])
async def test_trailers_without_end_are_cut_off(flood: bytes) -> None:
    async with unharmed() as (_, connection):
        connection.writer.write(post("transfer-encoding: chunked", body=b"2\r\n{}\r\n0\r\nx: "))
        with contextlib.suppress(ConnectionError):
            for _ in range(16 * MOST_HEAD_BYTES // 1000):
                connection.writer.write(flood)
                await connection.writer.drain()
        assert await rest(connection) == b""


async def test_a_chunk_extension_without_end_is_cut_off() -> None:
    async with unharmed() as (_, connection):
        connection.writer.write(post("transfer-encoding: chunked", body=b"2;"))
        with contextlib.suppress(ConnectionError):
            for _ in range(16 * MOST_HEAD_BYTES // 1000):
                connection.writer.write(b"y" * 1000)
                await connection.writer.drain()
        assert await rest(connection) == b""


async def test_what_stands_behind_a_refused_request_is_answered_in_its_order() -> None:
    key = "authorization: Bearer sesame"
    async with unharmed(key="sesame") as (_, connection):
        connection.writer.write(INNER + LIVE + post(key, LENGTH, body=BODY) + INNER + LIVE)
        assert [(await connection.answer()).status for _ in range(5)] == [401, 200, 200, 401, 200]


async def test_what_stands_behind_a_refused_body_in_pieces_is_answered() -> None:
    async with unharmed(key="sesame") as (_, connection):
        connection.writer.write(INNER[:-10])
        assert (await connection.answer()).status == 401
        connection.writer.write(INNER[-10:] + LIVE)
        assert (await connection.answer()).status == 200


async def test_what_stands_behind_a_chunked_request_is_answered_in_its_order() -> None:
    async with unharmed() as (_, connection):
        one = post("transfer-encoding: chunked", body=chunked(BODY[:7], BODY[7:]))
        connection.writer.write(one + LIVE + INNER + one)
        answers = [await connection.answer() for _ in range(4)]
        assert [b"chat.completion" in answer.body for answer in answers] == [True, False, True, True]


@pytest.mark.parametrize("headers", UPGRADES, ids=["h2c", "as browsers and Java write it", "websocket"])
async def test_a_request_to_upgrade_is_answered_like_any_other(headers: tuple[str, ...]) -> None:
    async with unharmed() as (served, connection):
        for body in ((LENGTH, BODY), ("transfer-encoding: chunked", chunked(BODY))):
            connection.writer.write(post(*headers, body[0], body=body[1]) + LIVE)
            answers = [await connection.answer() for _ in range(2)]
            assert [answer.status for answer in answers] == [200, 200]
            assert [b"chat.completion" in answer.body for answer in answers] == [True, False]
        assert len(served.backend.requests) == 2


async def test_what_looks_like_the_header_in_a_body_stays_as_it_is() -> None:
    async with unharmed() as (served, connection):
        body = BODY[:-1] + b',\r\n"upgrade":"h2c"}'
        connection.writer.write(post(*UPGRADES[0], f"content-length: {len(body)}", body=body) + LIVE)
        assert [(await connection.answer()).status for _ in range(2)] == [200, 200]
        (request,) = served.backend.requests
        assert isinstance(request, GenerateRequest)
        assert request.extra["upgrade"] == "h2c"


async def test_nothing_is_answered_behind_the_last_request() -> None:
    async with unharmed() as (served, connection):
        connection.writer.write(post("connection: close", LENGTH, body=BODY) + INNER)
        assert statuses(await rest(connection)) == [b"200"]
        assert len(served.backend.requests) == 1


async def test_a_body_longer_than_announced_is_another_request() -> None:
    async with unharmed() as (served, connection):
        connection.writer.write(post(LENGTH, body=BODY + b"}}}}"))
        answers = await rest(connection)
        # The framework's path has not begun the first answer when it sees what follows, and only closes.
        assert statuses(answers) in ([b"200", b"400"], []), answers
        assert len(served.backend.requests) <= 1


async def test_a_body_shorter_than_announced_is_waited_for_and_refused() -> None:
    async with unharmed(gateway=GatewaySettings(request_timeout_s=1)) as (served, connection):
        connection.writer.write(post(f"content-length: {len(BODY) + 5}", body=BODY))
        assert (await connection.answer()).status == 408
        assert served.backend.requests == []


async def test_a_late_body_gets_no_second_answer() -> None:
    async with unharmed(gateway=GatewaySettings(request_timeout_s=1)) as (_, connection):
        connection.writer.write(post("transfer-encoding: chunked"))
        assert (await connection.answer()).status == 408
        connection.writer.write(b"no chunk\r\n\r\n")
        assert await rest(connection) == b""


async def test_one_byte_at_a_time_is_as_good_as_all_at_once() -> None:
    async with unharmed() as (_, connection):
        sock: socket.socket = connection.writer.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(len(INNER)):
            connection.writer.write(INNER[at : at + 1])
            await asyncio.sleep(0)
        assert (await connection.answer()).status == 200
        assert (await connection.ask("POST", CHAT, BODY)).status == 200


@pytest.mark.parametrize("cut", [1, 20, INNER.index(b"{"), INNER.index(b"{") + 5, len(INNER)])
async def test_a_half_closed_connection_leaves_nothing(cut: int) -> None:
    async with unharmed() as (_, connection):
        connection.writer.write(INNER[:cut])
        connection.writer.write_eof()
        assert statuses(await rest(connection)) in ([], [b"200"], [b"400"])


async def test_a_half_closed_connection_ends_the_answer_that_streams() -> None:
    async with unharmed(FakeBackend((TextDelta("a"), HANG))) as (served, connection):
        await connection.send("POST", CHAT, STREAM)
        assert (await connection.head()).status == 200
        assert await connection.piece()
        connection.writer.write_eof()
        await rest(connection)
        await served.backend.idle.wait()
        assert served.backend.cancelled == 1


async def test_a_connection_cut_while_an_answer_streams_leaves_nothing() -> None:
    async with unharmed(FakeBackend((TextDelta("a"), HANG))) as (served, connection):
        await connection.send("POST", CHAT, STREAM)
        await connection.head()
        assert await connection.piece()
        connection.writer.transport.abort()
        await served.backend.idle.wait()
        assert served.backend.cancelled == 1


async def test_a_pipelined_request_waits_behind_an_answer_that_streams() -> None:
    goes_on = asyncio.Event()
    script = (TextDelta("a"), goes_on, TextDelta("b"), Usage(1, 2), Finish("stop"))
    async with unharmed(FakeBackend(script)) as (served, connection):
        await connection.send("POST", CHAT, STREAM)
        await connection.head()
        first = await connection.piece()
        connection.writer.write(LIVE + INNER[:30])
        await connection.writer.drain()
        goes_on.set()
        while piece := await connection.piece():
            first += piece
        assert first.endswith(b"[DONE]\n\n")
        assert (await connection.answer()).body == b'{"status":"ok"}'
        connection.writer.write(INNER[30:])
        assert (await connection.answer()).status == 200
        assert len(served.backend.requests) == 2


async def test_a_body_is_asked_for_only_where_it_will_be_read() -> None:
    expecting = post(LENGTH, "expect: 100-continue", "authorization: Bearer sesame")
    async with unharmed(key="sesame") as (_, connection):
        connection.writer.write(expecting)
        assert await connection.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.writer.write(BODY)
        assert (await connection.answer()).status == 200
        connection.writer.write(post(LENGTH, "expect: 100-continue"))
        assert (await connection.answer()).status == 401


@pytest.mark.parametrize("over", [0, 1])
async def test_uploads_in_chunks_are_bounded_to_the_byte(over: int) -> None:
    pad = SMALL.max_body_bytes + over - len(BODY)
    whole = BODY + b" " * pad
    async with unharmed(gateway=SMALL) as (served, connection):
        connection.writer.write(
            post(
                "transfer-encoding: chunked", body=chunked(*(whole[at : at + 100] for at in range(0, len(whole), 100)))
            )
        )
        assert (await connection.answer()).status == (413 if over else 200)
        assert len(served.backend.requests) == 1 - over


@pytest.mark.parametrize("over", [0, 1])
async def test_announced_uploads_are_bounded_to_the_byte(over: int) -> None:
    whole = BODY + b" " * (SMALL.max_body_bytes + over - len(BODY))
    async with unharmed(gateway=SMALL) as (_, connection):
        assert (await connection.ask("POST", CHAT, whole)).status == (413 if over else 200)


async def test_an_empty_line_does_not_keep_a_connection() -> None:
    async with serving(http=Impatient) as served, served.connect() as connection:
        assert (await connection.ask("POST", CHAT, BODY)).status == 200
        connection.writer.write(b"\r\n")
        assert await rest(connection) == b""


async def test_an_answered_body_is_not_taken_for_ever() -> None:
    async with serving(http=Impatient, keys="sesame") as served, served.connect() as connection:
        connection.writer.write(post("transfer-encoding: chunked", body=b"5\r\nhello\r\n"))
        assert (await connection.answer()).status == 401
        with contextlib.suppress(ConnectionError):
            # Each piece would have begun the wait of an idle connection anew.
            while not connection.reader.at_eof():
                connection.writer.write(b"5\r\nhello\r\n")
                await connection.writer.drain()
                await asyncio.sleep(0)
        assert await rest(connection) == b""
