"""The pipe's format: whole frames, in order, bounded, together when behind."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seekway.core.errors import BodyTooLarge, InvalidRequest
from seekway.core.types import Event, Finish, GenerateRequest, ReasoningDelta, TextDelta, TokenLogprob, Usage
from seekway.engine.base import EngineOptions
from seekway.engine.spec import LocalModelSpec, decode_spec, encode_spec
from seekway.engine.worker.frames import (
    Beat,
    Failed,
    FrameConnection,
    FromWorker,
    Generate,
    Streamed,
    ToWorker,
    from_worker_decoder,
    to_worker_decoder,
)


class RecordingTransport(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.aborted = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.writes.append(bytes(data))

    def is_closing(self) -> bool:
        return self.aborted

    def abort(self) -> None:
        self.aborted = True


class Pipe:
    """Two ends without a socket: a test hands what one wrote to the other in pieces of any size."""

    def __init__(self, max_frame_bytes: int = 1 << 20) -> None:
        self.received: list[FromWorker] = []
        self.lost: list[str] = []
        self.wire = RecordingTransport()
        self.sender: FrameConnection[ToWorker] = FrameConnection(
            to_worker_decoder(), lambda _: None, self.lost.append, max_frame_bytes
        )
        self.sender.connection_made(self.wire)
        self.reader_wire = RecordingTransport()
        self.reader: FrameConnection[FromWorker] = FrameConnection(
            from_worker_decoder(), self.received.append, self.lost.append, max_frame_bytes
        )
        self.reader.connection_made(self.reader_wire)


logprobs = st.lists(st.builds(TokenLogprob, st.text(), st.floats(allow_nan=False)), max_size=3).map(tuple)
events: st.SearchStrategy[Event] = st.one_of(
    st.builds(TextDelta, st.text(), logprobs),
    st.builds(ReasoningDelta, st.text()),
    st.builds(Usage, st.integers(0, 2**31), st.integers(0, 2**31)),
    st.builds(Finish, st.just("stop"), st.none() | st.text()),
)


@given(st.lists(events, max_size=8), st.integers(1, 40))
def test_frames_survive_any_split(sent: list[Event], piece: int) -> None:
    async def run() -> None:
        pipe = Pipe()
        for number, event in enumerate(sent):
            pipe.sender.send(Streamed(number, event))
        await asyncio.sleep(0)
        wire = b"".join(pipe.wire.writes)
        for start in range(0, len(wire), piece):
            pipe.reader.data_received(wire[start : start + piece])
        assert pipe.received == [Streamed(number, event) for number, event in enumerate(sent)]

    asyncio.run(run())


async def test_what_one_turn_of_the_loop_sends_leaves_in_one_write() -> None:
    pipe = Pipe()
    for number in range(32):
        pipe.sender.send(Streamed(number, TextDelta("token")))
    await asyncio.sleep(0)
    pipe.sender.send(Beat(1))
    await asyncio.sleep(0)
    assert len(pipe.wire.writes) == 2


async def test_a_frame_over_the_bound_is_refused_at_the_sender() -> None:
    pipe = Pipe(max_frame_bytes=100)
    with pytest.raises(BodyTooLarge):
        pipe.sender.send(Streamed(1, TextDelta("x" * 200)))
    pipe.sender.send(Beat(1))
    await asyncio.sleep(0)
    pipe.reader.data_received(b"".join(pipe.wire.writes))
    assert pipe.received == [Beat(1)]


async def test_a_frame_over_the_bound_breaks_the_connection_at_the_reader() -> None:
    pipe = Pipe(max_frame_bytes=100)
    pipe.reader.data_received((1 << 31).to_bytes(4, "big"))
    assert pipe.reader_wire.aborted
    pipe.reader.connection_lost(None)
    assert "more than the 100 allowed" in pipe.lost[0]


async def test_garbage_breaks_the_connection_and_nothing_behind_it_is_read() -> None:
    pipe = Pipe()
    good = msgspec.msgpack.encode(Beat(1))
    pipe.reader.data_received(b"\0\0\0\2\xc1\xc1" + len(good).to_bytes(4, "big") + good)
    assert pipe.reader_wire.aborted
    assert pipe.received == []


async def test_a_value_without_messagepack_form_is_the_requests_fault() -> None:
    pipe = Pipe()
    for request in (
        GenerateRequest("1", "m", prompt="\ud800"),
        GenerateRequest("1", "m", prompt="x", extra={"n": 1 << 70}),
    ):
        with pytest.raises(InvalidRequest):
            pipe.sender.send(Generate(1, request))


async def test_a_writer_learns_that_the_reader_is_behind() -> None:
    pipe = Pipe()
    pipe.sender.pause_writing()
    waiting = asyncio.ensure_future(pipe.sender.writable())
    await asyncio.sleep(0)
    assert pipe.sender.behind
    assert not waiting.done()
    pipe.sender.resume_writing()
    await asyncio.wait_for(waiting, 5)
    assert not pipe.sender.behind


async def test_a_lost_connection_swallows_what_is_sent_and_frees_who_waits() -> None:
    pipe = Pipe()
    pipe.sender.pause_writing()
    pipe.wire.aborted = True
    pipe.sender.connection_lost(None)
    await asyncio.wait_for(pipe.sender.writable(), 5)
    pipe.sender.send(Failed(1, "overloaded", "busy"))
    await asyncio.sleep(0)
    assert pipe.wire.writes == []


def test_a_spec_survives_the_command_line() -> None:
    spec = LocalModelSpec("m", "1", "here", "llamacpp", EngineOptions(Path("/模型/m.gguf"), context_length=4096))
    assert decode_spec(encode_spec(spec)) == spec
    with pytest.raises(msgspec.ValidationError):
        decode_spec('{"name":"m","version":"1","source":"s","options":{"model_path":7}}')
