"""The load client believes nothing: a right answer passes however it is cut, a wrong one is counted under what is wrong."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from benchmarks.gateway.load import Latencies, LoadClient, Loaded, LoadFailed, Shape
from benchmarks.gateway.native import SOURCES, CannotBuild, Native, build, compile_program
from benchmarks.gateway.processes import mock_upstream

from tests.unit.benchmarks.relay import Spoil, chunked, relay, with_length

STREAM = Shape(connections=2, requests=4, tokens=6, timeout_s=5)
WHOLE = Shape(connections=2, requests=4, timeout_s=5)


@pytest.fixture(scope="module")
def native() -> Native:
    if sys.platform != "linux":
        pytest.skip("mock upstream and load client use epoll, which only Linux has")
    try:
        return build()
    except CannotBuild as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def upstream(native: Native) -> Iterator[int]:
    with mock_upstream(native.mock, 1, ("mock",)) as (port,):
        yield port


def load(native: Native, port: int, shape: Shape) -> Loaded:
    return LoadClient(native.load).run(port, shape)


def spoiled(native: Native, upstream: int, shape: Shape, spoil: Spoil) -> Loaded:
    with relay(upstream, spoil) as port:
        return load(native, port, shape)


@pytest.mark.parametrize(
    "shape",
    [
        WHOLE,
        STREAM,
        msgspec.structs.replace(STREAM, interval_us=500),
        msgspec.structs.replace(STREAM, burst=True),
        msgspec.structs.replace(WHOLE, rate=500.0),
        msgspec.structs.replace(WHOLE, same=True, body_bytes=4096),
    ],
)
def test_right_answers_pass(native: Native, upstream: int, shape: Shape) -> None:
    loaded = load(native, upstream, shape)
    assert (loaded.requests, loaded.answered, loaded.failed) == (4, 4, 0)
    assert loaded.latency_us.count == 4
    assert loaded.tokens == 4 * shape.tokens
    assert loaded.first_token_us.count == (4 if shape.tokens else 0)


@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_however_a_stream_is_cut_it_passes(native: Native, upstream: int, size: int) -> None:
    loaded = spoiled(native, upstream, STREAM, lambda body: chunked(body, size))
    assert (loaded.answered, loaded.failures) == (4, {})


def test_joined_chunks_pass_and_are_counted_as_fewer_events(native: Native, upstream: int) -> None:
    def join(body: bytes) -> bytes:
        return chunked(b'data: {"content":"' + _content(body) + b'"}\n\n' + b"\n\n".join(body.split(b"\n\n")[-3:]))

    loaded = spoiled(native, upstream, STREAM, join)
    assert (loaded.answered, loaded.tokens, loaded.events) == (4, 24, 8)


def test_keep_alive_comments_and_blank_lines_pass(native: Native, upstream: int) -> None:
    streamed = spoiled(native, upstream, STREAM, lambda body: chunked(b": keep-alive\n\n" + body))
    whole = spoiled(native, upstream, WHOLE, lambda body: chunked(b"\n\n" + body + b"\n"))
    assert (streamed.failed, whole.failed) == (0, 0)


WRONG: list[tuple[Spoil, str]] = [
    (lambda body: with_length(body, status="502 Bad Gateway"), "status"),
    (lambda body: with_length(body.replace(b"blue", b"green")), "text"),
    (lambda body: with_length(body.replace(b"[n=0", b"[n=7")), "mark"),
    (lambda body: with_length(body.replace(b"total_tokens", b"tokens")), "usage"),
    (lambda body: with_length(body[:-1]), "length"),
    (lambda _: with_length(b""), "length"),
    (lambda body: with_length(body[:300], length=len(body)), "closed"),
    (lambda body: chunked(body, end=False), "closed"),
    (lambda body: with_length(body) + b"HTTP/1.1 200 OK\r\n\r\n", "http"),
    (lambda body: b"220 mail.example ESMTP\r\n\r\n" + body, "http"),
    (lambda _: b"", "closed"),
]
WRONG_STREAMS: list[tuple[Spoil, str]] = [
    (lambda body: chunked(body.replace(b"data: [DONE]\n\n", b"")), "done"),
    (lambda body: chunked(body + b"data: {}\n\n"), "done"),
    (lambda body: chunked(body.replace(b'"finish_reason":"stop"', b'"finish_reason":null')), "done"),
    (lambda body: chunked(body.replace(b"blue ", b"")), "tokens"),
    (lambda body: chunked(body.replace(b"blue ", b"blue blue ")), "tokens"),
    (lambda body: chunked(body.replace(b"blue ", b"?").replace(b"looks ", b"blue ")), "tokens"),
    (lambda body: chunked(body.replace(b'"the "', b'""')), "tokens"),
    (lambda body: chunked(body.replace(b"[n=0", b"[n=7")), "mark"),
    (lambda body: chunked(body.replace(b"total_tokens", b"tokens")), "usage"),
    (lambda body: chunked(body.replace(b"data: [DONE]", b'data: {"error":{"message":"gone"}}')), "stream_error"),
    (lambda body: chunked(body[: len(body) // 2], end=False), "closed"),
    (lambda body: chunked(body, end=False), "closed"),
]


@pytest.mark.parametrize(("spoil", "kind"), WRONG)
def test_a_wrong_answer_is_counted_under_what_is_wrong(native: Native, upstream: int, spoil: Spoil, kind: str) -> None:
    loaded = spoiled(native, upstream, WHOLE, spoil)
    assert (loaded.answered, loaded.failures) == (0, {kind: 4})
    assert loaded.first_failure.startswith(kind)
    assert loaded.latency_us.count == 0


@pytest.mark.parametrize(("spoil", "kind"), WRONG_STREAMS)
def test_a_wrong_stream_is_counted_under_what_is_wrong(native: Native, upstream: int, spoil: Spoil, kind: str) -> None:
    loaded = spoiled(native, upstream, STREAM, spoil)
    assert (loaded.answered, loaded.failures) == (0, {kind: 4})


def test_an_answer_that_never_ends_is_counted_as_a_timeout(native: Native, upstream: int) -> None:
    silent = msgspec.structs.replace(STREAM, tokens=3, interval_us=60_000_000, timeout_s=0.2)
    loaded = load(native, upstream, silent)
    assert (loaded.answered, loaded.failures) == (0, {"timeout": 4})


def test_nobody_listening_ends_soon(native: Native) -> None:
    loaded = load(native, 1, Shape(connections=4, requests=1_000_000))
    assert loaded.answered == 0
    assert set(loaded.failures) == {"connect"}
    assert loaded.failed <= 1004


def test_a_load_that_makes_no_sense_is_refused(native: Native) -> None:
    with pytest.raises(LoadFailed, match="usage"):
        load(native, 1, Shape())
    with pytest.raises(LoadFailed, match="body-bytes"):
        load(native, 1, Shape(requests=1, body_bytes=10))
    with pytest.raises(LoadFailed, match="/nowhere"):
        load(native, 1, Shape(requests=1, keys_file=Path("/nowhere")))


def test_held_streams_are_told_when_all_are_open(native: Native, upstream: int) -> None:
    told: list[str] = []
    shape = Shape(connections=20, requests=20, tokens=3, interval_us=20_000, hold=True)
    loaded = LoadClient(native.load).run(upstream, shape, lambda: told.append("open"))
    assert (told, loaded.peak_open, loaded.answered) == (["open"], 20, 20)


def test_every_key_and_model_of_a_file_is_used(native: Native, upstream: int, tmp_path: Path) -> None:
    seen: list[bytes] = []
    names = tmp_path / "models"
    names.write_text("mock-a\nmock-b\nmock-c\n", "utf-8")

    def look(body: bytes) -> bytes:
        seen.append(body.split(b'"model":"')[1].split(b'"')[0])
        return with_length(body)

    assert spoiled(native, upstream, msgspec.structs.replace(WHOLE, models_file=names, requests=6), look).failed == 0
    assert sorted(seen) == [b"mock-a"] * 2 + [b"mock-b"] * 2 + [b"mock-c"] * 2


def test_no_two_loads_repeat_a_request(native: Native, upstream: int) -> None:
    marks: list[bytes] = []

    def note(body: bytes) -> bytes:
        marks.append(body.split(b"[n=")[1][:10])
        return with_length(body)

    client = LoadClient(native.load)
    with relay(upstream, note) as port:
        client.run(port, WHOLE)
        client.run(port, WHOLE)
        client.run(port, msgspec.structs.replace(WHOLE, same=True))
    assert len(set(marks[:8])) == 8
    assert len(set(marks[8:])) == 1
    assert not set(marks[:8]) & set(marks[8:])


@pytest.mark.usefixtures("native")
def test_percentiles_are_within_half_a_percent(tmp_path: Path) -> None:
    program = tmp_path / "latencies"
    compile_program(program, [Path(__file__).with_name("latencies_check.c"), SOURCES / "latencies.c"])
    for values in (
        [7],
        [1, 2, 3, 255, 256, 257],
        [n * n * 977 for n in range(1, 2000)],
        [2**40 + n for n in range(10)],
    ):
        told = subprocess.run((program,), input=" ".join(map(str, values)).encode(), capture_output=True, check=True)
        found = msgspec.json.decode(told.stdout, type=Latencies)
        assert found.count == len(values)
        assert found.max == pytest.approx(max(values) / 1000, abs=0.006)
        assert found.mean == pytest.approx(statistics.fmean(values) / 1000, abs=0.006)
        for share, name in ((0.5, "p50"), (0.9, "p90"), (0.99, "p99"), (0.999, "p999")):
            exact = sorted(values)[max(0, -(-len(values) * round(share * 1000) // 1000) - 1)]
            assert json.loads(told.stdout)[name] == pytest.approx(exact / 1000, rel=0.005, abs=0.006)


def _content(stream: bytes) -> bytes:
    """All that the chunks say, joined."""
    return b"".join(part.split(b'"')[0] for part in stream.split(b'"content":"')[1:])
