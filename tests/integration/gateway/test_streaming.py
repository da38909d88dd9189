"""Streams byte by byte, clients that go away, silence, failures in the middle."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence

import msgspec

from seekway.core.errors import EngineCrashed, Overloaded
from seekway.core.sections.gateway import GatewaySettings
from seekway.core.types import (
    Finish,
    ReasoningDelta,
    TextDelta,
    TokenLogprob,
    ToolCallDelta,
    TopLogprob,
    Usage,
)
from tests.fakes.backend import HANG, FakeBackend, Step, reply
from tests.integration.gateway.served import Served, serving

CHAT = "/v1/chat/completions"
USAGE = Usage(prompt_tokens=7, completion_tokens=2, cached_tokens=3, reasoning_tokens=1)
WIRE_USAGE = (
    b'{"prompt_tokens":7,"completion_tokens":2,"total_tokens":9,"prompt_tokens_details":{"cached_tokens":3},'
    b'"completion_tokens_details":{"reasoning_tokens":1},"prompt_cache_hit_tokens":3,"prompt_cache_miss_tokens":4}'
)


def chat(more: str = "", text: str = "hi") -> bytes:
    return ('{"model":"fake","messages":[{"role":"user","content":"' + text + '"}]' + more + "}").encode()


def plain(stream: bytes) -> list[bytes]:
    """Blocks with what differs from run to run made equal."""
    stream = re.sub(rb'"id":"(chatcmpl|cmpl)-[0-9a-f]{32}"', b'"id":"X"', stream)
    stream = re.sub(rb'"created":\d+', b'"created":0', stream)
    stream = re.sub(rb'"system_fingerprint":"fp_[0-9a-f]{12}"', b'"system_fingerprint":"fp"', stream)
    assert b"\r" not in stream
    assert stream.endswith(b"\n\n")
    return stream[:-2].split(b"\n\n")


def chunk(choice: bytes, rest: bytes = b"") -> bytes:
    head = (
        b'{"id":"X","object":"chat.completion.chunk","created":0,"model":"fake","system_fingerprint":"fp","choices":['
    )
    return b"data: " + head + choice + b"]" + rest + b"}"


def delta(body: bytes, finish: bytes = b"null", logprobs: bytes = b"null") -> bytes:
    return b'{"index":0,"delta":' + body + b',"logprobs":' + logprobs + b',"finish_reason":' + finish + b"}"


async def stream_of(served: Served, more: str = "") -> list[bytes]:
    answer = await served.ask("POST", CHAT, chat(',"stream":true' + more))
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["x-accel-buffering"] == "no"
    return plain(answer.body)


async def test_a_stream_is_these_bytes() -> None:
    script = (ReasoningDelta("hm"), TextDelta('é"\n'), USAGE, Finish("stop"))
    async with serving(FakeBackend(script)) as served:
        assert await stream_of(served) == [
            chunk(delta(b'{"role":"assistant","content":""}')),
            chunk(delta(b'{"reasoning_content":"hm"}')),
            chunk(delta('{"content":"é\\"\\n"}'.encode())),
            chunk(delta(b"{}", b'"stop"'), b',"usage":' + WIRE_USAGE),
            b"data: [DONE]",
        ]


async def test_usage_asked_for_stands_in_a_chunk_of_its_own() -> None:
    async with serving(FakeBackend((TextDelta("a"), USAGE, Finish("length")))) as served:
        assert await stream_of(served, ',"stream_options":{"include_usage":true}') == [
            chunk(delta(b'{"role":"assistant","content":""}'), b',"usage":null'),
            chunk(delta(b'{"content":"a"}'), b',"usage":null'),
            chunk(delta(b"{}", b'"length"'), b',"usage":null'),
            chunk(b"", b',"usage":' + WIRE_USAGE),
            b"data: [DONE]",
        ]


async def test_usage_declined_is_left_out() -> None:
    async with serving(FakeBackend((TextDelta("a"), USAGE, Finish("stop")))) as served:
        assert not any(
            b"usage" in block for block in await stream_of(served, ',"stream_options":{"include_usage":false}')
        )


async def test_tool_calls_name_themselves_once() -> None:
    script = (
        ToolCallDelta(0, "call_1", "look", '{"a'),
        ToolCallDelta(0, arguments='":1}'),
        USAGE,
        Finish("tool_calls"),
    )
    tools = ',"tools":[{"type":"function","function":{"name":"look"}}]'
    async with serving(FakeBackend(script)) as served:
        blocks = await stream_of(served, tools)
        first = b'{"index":0,"function":{"name":"look","arguments":"{\\"a"},"id":"call_1","type":"function"}'
        assert blocks[1] == chunk(delta(b'{"tool_calls":[' + first + b"]}"))
        second = b'{"index":0,"function":{"arguments":"\\":1}"}}'
        assert blocks[2] == chunk(delta(b'{"tool_calls":[' + second + b"]}"))
        answer = await served.ask("POST", CHAT, chat(tools))
        assert b'"tool_calls":[{"id":"call_1","function":{"name":"look","arguments":"{\\"a\\":1}"}' in answer.body
        assert b'"finish_reason":"tool_calls"' in answer.body


async def test_logprobs_stand_beside_their_text() -> None:
    token = TokenLogprob("a", -0.5, (97,), (TopLogprob("a", -0.5, (97,)), TopLogprob("b", -1.0, (98,))))
    async with serving(FakeBackend((TextDelta("a", (token,)), USAGE, Finish("stop")))) as served:
        blocks = await stream_of(served, ',"logprobs":true,"top_logprobs":2')
        wire = (
            b'{"content":[{"token":"a","logprob":-0.5,"bytes":[97],"top_logprobs":'
            b'[{"token":"a","logprob":-0.5,"bytes":[97]},{"token":"b","logprob":-1.0,"bytes":[98]}]}],"reasoning_content":null}'
        )
        assert blocks[1] == chunk(delta(b'{"content":"a"}', logprobs=wire))


async def test_a_whole_answer_has_all_members() -> None:
    script = (ReasoningDelta("hm"), TextDelta("a"), TextDelta("b"), USAGE, Finish("stop"))
    async with serving(FakeBackend(script)) as served:
        answer = await served.ask("POST", "/chat/completions", chat())
        assert answer.headers["content-type"] == "application/json"
        body = answer.json()
        assert body["object"] == "chat.completion"
        assert body["choices"] == [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "ab", "reasoning_content": "hm"},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ]
        assert msgspec.json.encode(body["usage"]) == WIRE_USAGE


async def test_deltas_that_wait_go_out_in_one_write() -> None:
    async with serving(FakeBackend(reply(*"abcdefgh"))) as served:
        answer = await served.ask("POST", CHAT, chat(',"stream":true'))
        assert len(answer.pieces) < len(plain(answer.body))


async def test_a_silent_stream_gets_comments_in_blocks_of_their_own() -> None:
    go = asyncio.Event()
    script = (go, TextDelta("a"), USAGE, Finish("stop"))
    async with (
        serving(FakeBackend(script), GatewaySettings(keep_alive_interval_s=0.02)) as served,
        served.connect() as connection,
    ):
        await connection.send("POST", CHAT, chat(',"stream":true'))
        assert (await connection.head()).status == 200
        assert await connection.piece() == b": keep-alive\n\n"
        assert await connection.piece() == b": keep-alive\n\n"
        go.set()
        while (piece := await connection.piece()) == b": keep-alive\n\n":
            pass
        assert piece.startswith(b'data: {"id":')


async def test_a_silent_whole_answer_gets_blank_lines_before_its_json() -> None:
    go = asyncio.Event()
    script = (go, TextDelta("a"), USAGE, Finish("stop"))
    async with (
        serving(FakeBackend(script), GatewaySettings(keep_alive_interval_s=0.02)) as served,
        served.connect() as connection,
    ):
        await connection.send("POST", CHAT, chat())
        answer = await connection.head()
        assert answer.headers["content-type"] == "application/json"
        assert await connection.piece() == b"\n"
        go.set()
        pieces: list[bytes] = []
        while piece := await connection.piece():
            pieces.append(piece)
        assert msgspec.json.decode(b"".join(pieces), type=dict[str, object])["object"] == "chat.completion"


async def test_an_error_before_the_first_event_has_its_status() -> None:
    async with serving(FakeBackend((Overloaded("Full.", retry_after_s=2.2),))) as served:
        for more in ("", ',"stream":true'):
            answer = await served.ask("POST", CHAT, chat(more))
            assert (answer.status, answer.error()[0]) == (503, "overloaded")
            assert answer.headers["retry-after"] == "3"
            assert answer.headers["content-type"] == "application/json"


async def test_an_error_after_a_keep_alive_stands_in_the_body() -> None:
    go = asyncio.Event()
    backend = FakeBackend((go, EngineCrashed("It fell.")))
    async with serving(backend, GatewaySettings(keep_alive_interval_s=0.02)) as served, served.connect() as connection:
        await connection.send("POST", CHAT, chat())
        answer = await connection.head()
        assert answer.status == 200
        assert await connection.piece() == b"\n"
        go.set()
        while piece := await connection.piece():
            answer.body += piece
        assert answer.error()[0] == "engine_crashed"


async def test_an_error_in_mid_stream_ends_it_without_done() -> None:
    go = asyncio.Event()
    script = (TextDelta("a"), go, EngineCrashed("It fell."))
    async with serving(FakeBackend(script)) as served, served.connect() as connection:
        await connection.send("POST", CHAT, chat(',"stream":true'))
        assert (await connection.head()).status == 200
        body = await connection.piece()
        go.set()
        while piece := await connection.piece():
            body += piece
        error = b'{"error":{"message":"It fell.","type":"server_error","param":null,"code":"engine_crashed"}}'
        assert plain(body)[-1] == b"data: " + error
        assert b"[DONE]" not in body


async def test_a_stream_that_breaks_off_is_an_error() -> None:
    async with serving(FakeBackend((TextDelta("a"),))) as served:
        answer = await served.ask("POST", CHAT, chat())
        assert (answer.status, answer.error()[0]) == (502, "stream_interrupted")


async def test_what_nobody_foresaw_is_an_envelope_and_a_log_line() -> None:
    def broken(_: object) -> tuple[TextDelta, ...]:
        raise ZeroDivisionError("Bearer abcdefgh sk-1234567890")

    async with serving(FakeBackend(broken)) as served:
        for more in ("", ',"stream":true'):
            answer = await served.ask("POST", CHAT, chat(more))
            assert (answer.status, answer.error()[0]) == (500, "internal_error")
            assert b"Zero" not in answer.body
        assert "ZeroDivisionError" in served.log()
        assert "abcdefgh" not in served.log()
        assert "1234567890" not in served.log()


async def test_a_client_that_goes_away_frees_its_slot() -> None:
    scripts: tuple[Sequence[Step], ...] = ((HANG,), (TextDelta("a"), HANG))
    for more in ("", ',"stream":true'):
        for script in scripts:
            async with serving(FakeBackend(script)) as served:
                async with served.connect() as connection:
                    await connection.send("POST", CHAT, chat(more))
                    await served.backend.started.wait()
                async with asyncio.timeout(5):
                    await served.backend.idle.wait()
                assert served.backend.cancelled == 1


async def test_a_reader_that_does_not_read_holds_the_backend_back() -> None:
    backend = FakeBackend((*(TextDelta("x" * 65536),) * 2000, USAGE, Finish("stop")))
    async with serving(backend, GatewaySettings(request_timeout_s=1)) as served, served.connect() as connection:
        await connection.send("POST", CHAT, chat(',"stream":true'))
        await backend.started.wait()
        # The deadline ends the backend's work although the reader never read a byte; 128 MiB would have come without holding back.
        await backend.idle.wait()
        assert (backend.cancelled, backend.completed) == (1, 0)


async def test_the_deadline_is_an_error() -> None:
    async with serving(FakeBackend((HANG,)), GatewaySettings(request_timeout_s=0.1)) as served:
        answer = await served.ask("POST", CHAT, chat())
        assert (answer.status, answer.error()[0]) == (504, "deadline_exceeded")
        assert served.backend.cancelled == 1
        request = served.backend.requests[0]
        assert request.deadline_s is not None
        assert 0 < request.deadline_s < 5
