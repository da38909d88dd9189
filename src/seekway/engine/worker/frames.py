"""What crosses the pipe between a service and its worker: length-prefixed MessagePack frames over a Unix socket pair.

A frame is four bytes of length, big-endian, then one message: a MessagePack array whose first item is the message's tag.
Many requests are in flight at once, told apart by ``id``, which the service counts up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar, cast

import msgspec

from seekway.core.errors import BodyTooLarge, InvalidRequest
from seekway.core.types import (
    EmbedRequest,
    EmbedResult,
    Event,
    GenerateRequest,
    ModelInfo,
    RerankRequest,
    RerankResult,
    TokenCount,
)

HEADER_BYTES = 4
MAX_FRAME_BYTES = 64 * 1024 * 1024


class Frame(msgspec.Struct, frozen=True, array_like=True):
    """Base of all messages."""


class Generate(Frame, frozen=True, tag="g"):
    id: int
    request: GenerateRequest


class Embed(Frame, frozen=True, tag="e"):
    id: int
    request: EmbedRequest


class Rerank(Frame, frozen=True, tag="r"):
    id: int
    request: RerankRequest


class Count(Frame, frozen=True, tag="n"):
    id: int
    request: GenerateRequest


class ListModels(Frame, frozen=True, tag="m"):
    id: int


class Cancel(Frame, frozen=True, tag="c"):
    """Stop the work at once; nothing more need be said about ``id``."""

    id: int


class Pause(Frame, frozen=True, tag="p"):
    """The reader of stream ``id`` is far behind: take no more from the backend until ``Resume``."""

    id: int


class Resume(Frame, frozen=True, tag="u"):
    id: int


ToWorker = Generate | Embed | Rerank | Count | ListModels | Cancel | Pause | Resume


class Progress(Frame, frozen=True, tag="P"):
    step: str
    fraction: float


class Ready(Frame, frozen=True, tag="R"):
    """The model is loaded; ``models`` is what it says of itself."""

    models: tuple[ModelInfo, ...]


class LoadFailed(Frame, frozen=True, tag="L"):
    code: str
    message: str


class Beat(Frame, frozen=True, tag="B"):
    """The worker's loop turns; sent all the time. ``rss_bytes`` is its resident memory."""

    rss_bytes: int


class Streamed(Frame, frozen=True, tag="S"):
    id: int
    event: Event


class Ended(Frame, frozen=True, tag="E"):
    """Stream ``id`` ended well."""

    id: int


class Embedded(Frame, frozen=True, tag="V"):
    id: int
    result: EmbedResult


class Reranked(Frame, frozen=True, tag="K"):
    id: int
    result: RerankResult


class Counted(Frame, frozen=True, tag="N"):
    id: int
    result: TokenCount


class Listed(Frame, frozen=True, tag="M"):
    id: int
    models: tuple[ModelInfo, ...]


class Failed(Frame, frozen=True, tag="F"):
    """Request ``id`` ended in the error that ``code`` names."""

    id: int
    code: str
    message: str
    param: str | None = None
    retry_after_s: float | None = None


FromWorker = Progress | Ready | LoadFailed | Beat | Streamed | Ended | Embedded | Reranked | Counted | Listed | Failed

Incoming = TypeVar("Incoming")


def to_worker_decoder() -> msgspec.msgpack.Decoder[ToWorker]:
    return msgspec.msgpack.Decoder(ToWorker)


def from_worker_decoder() -> msgspec.msgpack.Decoder[FromWorker]:
    return msgspec.msgpack.Decoder(FromWorker)


class FrameConnection(asyncio.Protocol, Generic[Incoming]):
    """One end of the pipe.

    What is sent within one turn of the loop leaves in one write: alone and at once when idle, together when behind.
    ``lost`` is called once, with the reason, when the other end is gone or breaks the format.
    """

    def __init__(
        self,
        decoder: msgspec.msgpack.Decoder[Incoming],
        received: Callable[[Incoming], None],
        lost: Callable[[str], None],
        max_frame_bytes: int = MAX_FRAME_BYTES,
    ) -> None:
        self._decoder = decoder
        self._received = received
        self._lost = lost
        self._max_frame_bytes = max_frame_bytes
        self._encoder = msgspec.msgpack.Encoder()
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._outgoing: list[bytes] = []
        self._chunks: list[bytes] = []
        self._have = 0
        self._need = HEADER_BYTES
        self._broken = ""
        self._writable = asyncio.Event()
        self._writable.set()

    @property
    def behind(self) -> bool:
        """The other end reads slower than this one writes; wait for :meth:`writable` before sending much more."""
        return not self._writable.is_set()

    async def writable(self) -> None:
        await self._writable.wait()

    def send(self, message: Frame) -> None:
        """Queue one frame; a lost connection swallows it.

        Raises ``BodyTooLarge`` for a frame over the bound and ``InvalidRequest`` for text or numbers that have no MessagePack form.
        """
        try:
            payload = self._encoder.encode(message)
        except (OverflowError, UnicodeEncodeError) as error:
            raise InvalidRequest(f"The request holds a value that cannot be passed on: {error}.") from error
        if len(payload) > self._max_frame_bytes:
            raise BodyTooLarge(
                f"{len(payload)} bytes at once are more than the model's worker takes ({self._max_frame_bytes}); send less."
            )
        if self._transport is None or self._transport.is_closing():
            return
        if not self._outgoing:
            self._loop.call_soon(self._flush)
        self._outgoing.append(len(payload).to_bytes(HEADER_BYTES, "big"))
        self._outgoing.append(payload)

    def close(self) -> None:
        """Send what is queued, then close."""
        self._flush()
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._writable.set()
        self._outgoing.clear()
        self._lost(self._broken or (f"the pipe broke: {exc}" if exc else "the pipe was closed"))

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        self._chunks.append(data)
        self._have += len(data)
        if self._have < self._need:
            return
        if len(self._chunks) > 1:
            data = b"".join(self._chunks)
        rest = data[self._take_frames(data) :]
        self._chunks = [rest] if rest else []
        self._have = len(rest)

    def _take_frames(self, data: bytes) -> int:
        """Hand on every whole frame of ``data`` and return where they end; sets how much the next one needs."""
        view = memoryview(data)
        start = 0
        self._need = HEADER_BYTES
        while len(data) - start >= HEADER_BYTES and not self._broken:
            length = int.from_bytes(view[start : start + HEADER_BYTES], "big")
            end = start + HEADER_BYTES + length
            if length > self._max_frame_bytes:
                self._break(f"a frame of {length} bytes came, more than the {self._max_frame_bytes} allowed")
            elif end > len(data):
                self._need = end - start
                break
            else:
                try:
                    message = self._decoder.decode(view[start + HEADER_BYTES : end])
                except msgspec.MsgspecError as error:
                    self._break(f"a frame could not be read: {error}")
                else:
                    self._received(message)
            start = end
        return len(data) if self._broken else start

    def _break(self, reason: str) -> None:
        self._broken = reason
        if self._transport is not None:
            self._transport.abort()

    def _flush(self) -> None:
        if self._outgoing and self._transport is not None and not self._transport.is_closing():
            self._transport.write(b"".join(self._outgoing))
        self._outgoing.clear()
