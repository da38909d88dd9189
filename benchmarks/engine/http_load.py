"""A load client cheap enough to share two cores with what it measures: raw asyncio, no parsing but of the last chunk."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from typing import Any, cast

import msgspec

from benchmarks.engine.prompts import Chat


class Measured(msgspec.Struct, frozen=True):
    """One request: seconds on the monotonic clock, tokens as the server counted them."""

    started: float
    first_token: float
    ended: float
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    finish: str


class StreamProtocol(asyncio.Protocol):
    """Sends one request, notes the first content chunk's time, keeps the tail for usage."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._tail = b""
        self.started = 0.0
        self.first_token = 0.0
        self.done: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.started = time.perf_counter()
        cast("asyncio.Transport", transport).write(self._request)

    def data_received(self, data: bytes) -> None:
        if not self.first_token and (b'"content":"' in data or b'"text":"' in data):
            text = data.replace(b'"content":""', b"")
            if b'"content":"' in text or b'"text":"' in text:
                self.first_token = time.perf_counter()
        self._tail = (self._tail + data)[-8192:]
        if b"data: [DONE]" in self._tail and not self.done.done():
            self.done.set_result(self._tail)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(RuntimeError(f"the stream ended without [DONE]: {self._tail[-300:]!r}"))


def request_bytes(address: str, path: str, body: dict[str, Any]) -> bytes:
    payload = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {len(payload)}\r\n\r\n"
    return head.encode() + payload


async def one(address: str, request: bytes) -> Measured:
    host, _, port = address.rpartition(":")
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_connection(lambda: StreamProtocol(request), host, int(port))
    try:
        tail = await asyncio.wait_for(protocol.done, 120)
    finally:
        transport.close()
    ended = time.perf_counter()
    usage: dict[str, Any] = {}
    finish = ""
    for block in tail.split(b"\n\n"):
        # A chunk's size line may stand before the event.
        at = block.find(b"data: {")
        if at >= 0:
            chunk: dict[str, Any] = json.loads(block[at + 6 :])
            usage = chunk.get("usage") or usage
            for choice in chunk.get("choices", ()):
                finish = choice.get("finish_reason") or finish
    return Measured(
        started=protocol.started,
        first_token=protocol.first_token,
        ended=ended,
        prompt_tokens=usage["prompt_tokens"],
        completion_tokens=usage["completion_tokens"],
        cached_tokens=usage.get("prompt_cache_hit_tokens", 0),
        finish=finish,
    )


def chat_bytes(address: str, model: str, chat: Chat, max_tokens: int) -> bytes:
    """A streamed, greedy chat completion."""
    body = {
        "model": model,
        "messages": [{"role": message.role, "content": message.content} for message in chat.messages],
        "max_tokens": max_tokens,
        "temperature": 0,
        "stream": True,
    }
    return request_bytes(address, "/v1/chat/completions", body)


async def load(address: str, requests: Sequence[bytes]) -> list[Measured]:
    """All ``requests`` at once."""
    return await asyncio.gather(*(one(address, request) for request in requests))
