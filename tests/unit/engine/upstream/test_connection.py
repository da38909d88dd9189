"""However an answer's bytes are split, cut off or spoilt, its outcome is one, and nothing is left behind."""

from __future__ import annotations

import asyncio
import gzip
import itertools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seekway.core.errors import BackendProtocolError, BackendUnavailable, SeekwayError, StreamInterrupted
from seekway.core.types import Finish
from seekway.engine.upstream import generation as generation_module
from tests.fakes.upstream_wire import FakeTransport, FakeWire, RecordedSink, lose
from tests.unit.engine.upstream.answers import (
    CHAT,
    CHUNKED,
    EVENTS,
    HELLO,
    JSON,
    NOT_STREAMED,
    OK,
    SPOILT,
    STREAM,
    STREAMED,
    WELL,
    WHOLE,
    chunks,
    length,
)


async def outcome_of(pieces: list[bytes], *, streamed: bool, then: Exception | None = None, cut: bool = True):
    """What the sink heard of ``pieces``, and of the connection's end after them if nothing ended it before."""
    wire, sink = FakeWire(), RecordedSink()
    wire.start(sink, streamed=streamed)
    connection, transport = await wire.connected()
    for piece in pieces:
        if piece and not transport.closed and not (sink.over and connection.call is None):
            connection.data_received(piece)
    if cut and not transport.closed:
        lose(connection, transport, then)
    assert sink.over or not cut
    assert wire.pool.busy == 0 or not cut
    assert wire.pool.connections <= 1
    await wire.pool.close()
    return sink.outcome


CASES = [
    *((name, answer, True) for name, answer in STREAMED.items()),
    *((name, answer, False) for name, answer in NOT_STREAMED.items()),
]
CASE_IDS = [f"{name}{'' if streamed else ', not streamed'}" for name, _, streamed in CASES]


@pytest.mark.parametrize(("name", "answer", "streamed"), CASES, ids=CASE_IDS)
async def test_a_split_at_any_byte_and_bytes_one_at_a_time_change_nothing(
    name: str, answer: bytes, streamed: bool
) -> None:
    expected = await outcome_of([answer], streamed=streamed)
    for at in range(1, len(answer)):
        assert await outcome_of([answer[:at], answer[at:]], streamed=streamed) == expected, (name, at)
    single = [answer[at : at + 1] for at in range(len(answer))]
    assert await outcome_of(single, streamed=streamed) == expected


@pytest.mark.parametrize("error", [None, ConnectionResetError()], ids=["closed", "reset"])
@pytest.mark.parametrize(("name", "answer", "streamed"), CASES, ids=CASE_IDS)
async def test_an_answer_cut_at_any_byte_fails_or_is_whole_and_is_never_made_up(
    name: str, answer: bytes, streamed: bool, error: Exception | None
) -> None:
    events, ended, *_ = await outcome_of([answer], streamed=streamed)
    for at in range(len(answer)):
        some, whole, kind, _ = await outcome_of([answer[:at]], streamed=streamed, then=error)
        assert whole is (kind is None), (name, at)
        if whole:
            assert ended, (name, at)
            assert isinstance(some[-1], Finish), (name, at)
        if some[-1:] and not isinstance(some[-1], Finish):
            assert some == events[: len(some)], (name, at)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(case=st.sampled_from(CASES), data=st.data())
def test_splits_anywhere_change_nothing(case: tuple[str, bytes, bool], data: st.DataObject) -> None:
    _, answer, streamed = case
    cuts = data.draw(st.lists(st.integers(0, len(answer)), max_size=12))
    pieces = [answer[a:b] for a, b in itertools.pairwise([0, *sorted(cuts), len(answer)])]
    assert asyncio.run(outcome_of(pieces, streamed=streamed)) == asyncio.run(outcome_of([answer], streamed=streamed))


GOOD_STREAMS = (
    "chunks", "odd chunks", "trailers and extensions", "a length", "interim answers", "a close",
    "HTTP/1.0 with a length", "gzip", "CRLF and comments",
)  # fmt: skip


@pytest.mark.parametrize("name", GOOD_STREAMS)
async def test_a_good_stream_is_read_in_whatever_frame_it_comes(name: str) -> None:
    events, ended, *_ = await outcome_of([STREAMED[name]], streamed=True)
    assert (events, ended) == (HELLO, True)


@pytest.mark.parametrize("name", ["a length", "chunks", "blank lines first", "gzip"])
async def test_a_good_whole_answer_is_read_in_whatever_frame_it_comes(name: str) -> None:
    events, ended, *_ = await outcome_of([NOT_STREAMED[name]], streamed=False)
    assert (events, ended) == (WHOLE, True)


async def test_a_compressed_answer_that_lacks_its_end_is_interrupted() -> None:
    cut = gzip.compress(CHAT, mtime=0)[:-8]
    _, ended, kind, _ = await outcome_of(
        [OK + JSON + b"Content-Encoding: gzip\r\n" + length(cut)], streamed=False, cut=False
    )
    assert (ended, kind) == (False, StreamInterrupted)


async def test_a_small_answer_that_unpacks_to_a_large_one_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generation_module, "MAX_STREAM_BYTES", 1 << 22)
    monkeypatch.setattr(generation_module, "MAX_WHOLE_BYTES", 1 << 22)
    bomb = gzip.compress(b": \n" * (1 << 24), mtime=0)
    assert len(bomb) < 1 << 18
    for streamed, head in ((True, STREAM), (False, JSON)):
        answer = OK + head + b"Content-Encoding: gzip\r\n" + length(bomb)
        _, ended, kind, _ = await outcome_of([answer], streamed=streamed, cut=False)
        assert (ended, kind) == (False, BackendProtocolError)


@pytest.mark.parametrize("head", [b"HTTP/1.0 200 OK\r\n", OK, OK + b"Connection: close\r\n"])
@pytest.mark.parametrize("streamed", [True, False])
async def test_an_answer_without_a_length_ends_with_its_connection(head: bytes, streamed: bool) -> None:
    body = STREAM + b"\r\n" + WELL.removesuffix(EVENTS[-1]) if streamed else JSON + b"\r\n" + CHAT
    events, ended, *_ = await outcome_of([head + body], streamed=streamed)
    assert (events, ended) == (HELLO if streamed else WHOLE, True)
    cut = body[: body.index(EVENTS[2])] if streamed else body[:-9]
    _, ended, *_ = await outcome_of([head + cut], streamed=streamed)
    assert not ended
    _, ended, kind, _ = await outcome_of([head + body], streamed=streamed, then=ConnectionResetError())
    assert (ended, kind) == (False, StreamInterrupted)


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize("name", SPOILT)
async def test_what_is_no_answer_is_refused_and_its_connection_closed(name: str, streamed: bool) -> None:
    answer = SPOILT[name]
    for size in (len(answer), 1) if len(answer) < 5000 else (len(answer), 4096):
        pieces = [answer[at : at + size] for at in range(0, len(answer), size)]
        events, ended, kind, message = await outcome_of(pieces, streamed=streamed, cut=False)
        assert (ended, kind) == (False, BackendProtocolError), message
        assert events in ([], HELLO[:2])


async def test_trailers_and_bytes_between_chunks_are_bounded() -> None:
    head = OK + STREAM + CHUNKED + b"\r\n" + chunks(EVENTS[0])
    for flood in (b"X-A: b\r\n" * 512, b"x" * 4096):
        wire, sink = FakeWire(), RecordedSink()
        wire.start(sink)
        connection, transport = await wire.connected()
        connection.data_received(head if flood.startswith(b"X") else head.removesuffix(b"0\r\n") + b"5;")
        for _ in range(64):
            if not transport.closed:
                connection.data_received(flood)
        assert sink.error is not None
        assert transport.closed
        assert wire.pool.busy == 0
        await wire.pool.close()


async def test_what_follows_an_answer_unasked_is_never_the_next_answer() -> None:
    second = OK + JSON + length(CHAT.replace(b"Hello", b"EVIL!"))
    for together in (True, False):
        wire, sink = FakeWire(), RecordedSink()
        wire.start(sink, streamed=False)
        connection, transport = await wire.connected()
        answer = NOT_STREAMED["a length"]
        for piece in [answer + second] if together else [answer, second]:
            connection.data_received(piece)
        assert sink.outcome[:2] == (WHOLE, True)
        assert transport.closed
        assert (wire.pool.busy, wire.pool.connections) == (0, 0)
        again = RecordedSink()
        wire.start(again, streamed=False)
        connection, transport = await wire.connected(2)
        connection.data_received(answer)
        assert again.outcome[:2] == (WHOLE, True)
        assert not transport.closed
        await wire.pool.close()


async def test_an_answer_that_comes_before_the_request_is_sent_is_believed_and_the_connection_closed() -> None:
    wire, sink = FakeWire(), RecordedSink()
    wire.start(sink)
    connection, transport = await wire.connected()
    transport.unsent = 1_000_000
    connection.data_received(b"HTTP/1.1 413 Too Large\r\n" + JSON + length(b'{"error":{"message":"too large"}}'))
    assert sink.error is not None
    assert sink.error.code == "body_too_large"
    assert transport.closed
    assert (wire.pool.busy, wire.pool.connections) == (0, 0)
    await wire.pool.close()


async def test_each_read_feeds_the_sink_once() -> None:
    wire, sink = FakeWire(), RecordedSink()
    wire.start(sink)
    connection, _ = await wire.connected()
    connection.data_received(OK + STREAM + CHUNKED + b"\r\n" + chunks(*EVENTS) + b"\r\n")
    assert (sink.batches, sink.events, sink.ended) == (1, HELLO, True)
    await wire.pool.close()


class _Cancels(RecordedSink):
    def __init__(self, wire: FakeWire, *, streamed: bool) -> None:
        super().__init__()
        self.flow = wire.start(self, streamed=streamed)

    def feed(self, events: object, /) -> None:
        self.flow.cancel()
        self.flow.cancel()


@pytest.mark.parametrize("streamed", [True, False])
async def test_cancelling_from_within_the_sink_is_heard_at_once(streamed: bool) -> None:
    wire = FakeWire()
    sink = _Cancels(wire, streamed=streamed)
    connection, transport = await wire.connected()
    connection.data_received(STREAMED["chunks"] if streamed else NOT_STREAMED["a length"])
    assert not sink.over
    assert wire.pool.busy == 0
    assert transport.closed is streamed  # a whole answer has already given its connection back
    await wire.pool.close()


async def test_a_slow_reader_holds_the_connection_back_and_the_next_one_does_not_inherit_it() -> None:
    wire, sink = FakeWire(), RecordedSink()
    flow = wire.start(sink)
    flow.pause()
    connection, transport = await wire.connected()
    assert not transport.reading
    flow.resume()
    assert transport.reading
    flow.pause()
    connection.data_received(STREAMED["chunks"])
    assert sink.ended
    assert transport.reading
    flow.pause()
    flow.resume()
    flow.cancel()
    assert transport.reading
    assert not transport.closed
    await wire.pool.close()


async def test_a_kept_connection_that_died_is_replaced_once_and_only_while_nothing_came() -> None:
    for begun in (b"", b"H", OK):
        wire, first, second = FakeWire(), RecordedSink(), RecordedSink()
        wire.start(first)
        connection, transport = await wire.connected()
        connection.data_received(STREAMED["a length"])
        wire.start(second)
        if begun:
            connection.data_received(begun)
        lose(connection, transport)
        if begun:
            assert type(second.error) is BackendUnavailable
            assert len(wire.dialed) == 1
        else:
            replacement, transport = await wire.connected(2)
            assert transport.written == [b"the request"]
            lose(replacement, transport)
            assert type(second.error) is BackendUnavailable
        assert wire.pool.busy == 0
        await wire.pool.close()


async def test_who_waits_for_a_place_gets_it_in_turn_and_whoever_left_is_passed_over() -> None:
    wire = FakeWire(limit=1)
    sinks = [RecordedSink() for _ in range(4)]
    flows = [wire.start(sink, streamed=False) for sink in sinks]
    flows[1].cancel()
    connection, _ = await wire.connected()
    for number in (0, 2, 3):
        assert [sink.ended for sink in sinks[2:]] == [number > 2, False]
        connection.data_received(NOT_STREAMED["a length"])
    assert [sink.ended for sink in sinks] == [True, False, True, True]
    assert (len(wire.dialed), wire.pool.busy) == (1, 0)
    await wire.pool.close()


async def test_cancelling_while_connecting_frees_the_place() -> None:
    wire = FakeWire(limit=1)
    first, second = RecordedSink(), RecordedSink()
    wire.start(first).cancel()
    assert wire.pool.busy == 0
    wire.start(second, streamed=False)
    connection, _ = await wire.connected()
    connection.data_received(NOT_STREAMED["a length"])
    assert second.ended
    assert not first.over
    await wire.pool.close()


class _Failing(FakeWire):
    def __init__(self, error: Exception) -> None:
        super().__init__(limit=1)
        self._error = error

    async def dial(self, pool: object) -> None:  # pyright: ignore[reportIncompatibleMethodOverride] - it never returns
        raise self._error


@pytest.mark.parametrize("error", [ConnectionRefusedError(), UnicodeError("label too long"), RuntimeError("a bug")])
async def test_a_connection_that_cannot_be_made_is_an_error_and_frees_the_place(error: Exception) -> None:
    wire = _Failing(error)
    for _ in range(2):
        sink = RecordedSink()
        wire.start(sink)
        for _ in range(5):
            await asyncio.sleep(0)
        assert isinstance(sink.error, SeekwayError)
        assert "bug" not in sink.error.message
        assert wire.pool.busy == 0
    await wire.pool.close()


async def test_closing_the_pool_fails_what_runs_waits_and_connects() -> None:
    wire = FakeWire(limit=1)
    sinks = [RecordedSink() for _ in range(3)]
    for sink in sinks[:2]:
        wire.start(sink)
    _, transport = await wire.connected()
    await wire.pool.close()
    wire.start(sinks[2])
    assert sinks[2].error is None  # never from within start
    await asyncio.sleep(0)
    assert [type(sink.error) for sink in sinks] == [BackendUnavailable] * 3
    assert transport.closed
    assert wire.pool.busy == 0


def test_transports_are_fakes_of_the_real_kind() -> None:
    assert isinstance(FakeTransport(), asyncio.Transport)
