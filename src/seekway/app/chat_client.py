"""A client of the gateway's ``POST /v1/chat/completions``, streaming, for the terminal."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Literal

import aiohttp
import msgspec

from seekway.app.server_events import events_of
from seekway.core.errors import (
    AuthenticationFailed,
    BackendProtocolError,
    BackendUnavailable,
    DeadlineExceeded,
    SeekwayError,
    StreamInterrupted,
    error_from_code,
)

_IDLE_S = 120.0


class Turn(msgspec.Struct, frozen=True):
    role: Literal["system", "user", "assistant"]
    content: str


class Said(msgspec.Struct, frozen=True):
    """A piece of the answer, or of the thinking before it."""

    text: str
    thinking: bool


class Finished(msgspec.Struct, frozen=True):
    """The end of an answer. Seconds from the request to the first token and to the end; tokens where the gateway counted them."""

    reason: str
    first_token_s: float
    total_s: float
    tokens: int | None = None
    cached_tokens: int = 0

    @property
    def tokens_per_second(self) -> float | None:
        """The decoding rate: the first token is waited for, not decoded at that rate."""
        seconds = self.total_s - self.first_token_s
        return (self.tokens - 1) / seconds if self.tokens and self.tokens > 1 and seconds > 0 else None


class ChatOptions(msgspec.Struct, frozen=True, omit_defaults=True):
    max_tokens: int | None = None
    temperature: float | None = None


class _Delta(msgspec.Struct):
    content: str | None = None
    reasoning_content: str | None = None


class _Choice(msgspec.Struct):
    delta: _Delta = msgspec.field(default_factory=_Delta)
    finish_reason: str | None = None


class _Usage(msgspec.Struct):
    completion_tokens: int = 0
    prompt_cache_hit_tokens: int = 0


class _Error(msgspec.Struct):
    message: str = "The gateway gave no reason."
    code: str | int | None = None


class _Chunk(msgspec.Struct):
    choices: list[_Choice] = []
    usage: _Usage | None = None
    error: _Error | None = None


class _Refusal(msgspec.Struct):
    error: _Error


class _Model(msgspec.Struct):
    id: str


class _Models(msgspec.Struct):
    data: list[_Model]


class ChatClient:
    """Talks to the gateway at ``base_url`` (without ``/v1``); ``api_key`` goes as Bearer token."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str, api_key: str | None = None) -> None:
        self._session = session
        self.base_url = base_url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}

    async def models(self) -> list[str]:
        """Names of the models served, in the gateway's order; raises ``SeekwayError``."""
        try:
            async with self._session.get(f"{self.base_url}/v1/models", headers=self._headers) as response:
                body = await response.read()
                _check(response.status, body)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self._away(error) from error
        try:
            return [model.id for model in msgspec.json.decode(body, type=_Models).data]
        except msgspec.DecodeError as error:
            raise BackendProtocolError(f"What answers at {self.base_url} is not a Seekway gateway.") from error

    async def answer(
        self, model: str, turns: list[Turn], options: ChatOptions | None = None
    ) -> AsyncGenerator[Said | Finished]:
        """Stream the answer to ``turns``; the last thing is ``Finished``. Closing the generator stops the answer at the gateway.

        Raises ``SeekwayError``: what the gateway says, ``BackendUnavailable`` when it is away, ``StreamInterrupted`` when it breaks off.
        """
        body = {
            "model": model,
            "messages": turns,
            "stream": True,
            "stream_options": {"include_usage": True},
        } | msgspec.to_builtins(options or ChatOptions())
        start = time.perf_counter()
        first: float | None = None
        reason, usage = "", _Usage()
        counted = False
        try:
            async with self._session.post(
                f"{self.base_url}/v1/chat/completions",
                data=msgspec.json.encode(body),
                headers={"Content-Type": "application/json", **self._headers},
            ) as response:
                if response.status != 200:
                    _check(response.status, await response.read())
                async with aclosing(events_of(response)) as events:
                    async for event in events:
                        chunk = _decode(event)
                        for said in _said(chunk):
                            first = first or time.perf_counter()
                            yield said
                        reason = next((c.finish_reason for c in chunk.choices if c.finish_reason), reason)
                        if chunk.usage is not None:
                            usage, counted = chunk.usage, True
        except (aiohttp.ClientError, TimeoutError) as error:
            raise (self._away(error) if first is None else _broken()) from error
        if not reason:
            raise _broken()
        now = time.perf_counter()
        yield Finished(
            reason=reason,
            first_token_s=(first or now) - start,
            total_s=now - start,
            tokens=usage.completion_tokens if counted else None,
            cached_tokens=usage.prompt_cache_hit_tokens,
        )

    def _away(self, error: aiohttp.ClientError | TimeoutError) -> SeekwayError:
        if isinstance(error, TimeoutError):
            return DeadlineExceeded(f"The gateway at {self.base_url} does not answer in time.")
        if isinstance(error, aiohttp.InvalidURL):
            return BackendUnavailable(f"{self.base_url} is not an address; it looks like http://127.0.0.1:8000.")
        return BackendUnavailable(
            f"No gateway answers at {self.base_url}; start one with seekway up, or name it with --url."
        )


def open_session() -> aiohttp.ClientSession:
    """Silence of two minutes is a failure; the gateway sends a comment every few seconds while it works."""
    return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=_IDLE_S))


def _decode(event: bytes) -> _Chunk:
    try:
        chunk = msgspec.json.decode(event, type=_Chunk)
    except msgspec.DecodeError as error:
        raise BackendProtocolError("The gateway sent an event that cannot be read.") from error
    if chunk.error is not None:
        raise error_from_code(str(chunk.error.code), chunk.error.message)
    return chunk


def _said(chunk: _Chunk) -> list[Said]:
    pieces: list[Said] = []
    for choice in chunk.choices:
        if choice.delta.reasoning_content:
            pieces.append(Said(choice.delta.reasoning_content, thinking=True))
        if choice.delta.content:
            pieces.append(Said(choice.delta.content, thinking=False))
    return pieces


def _check(status: int, body: bytes) -> None:
    if status == 200:
        return
    try:
        error = msgspec.json.decode(body, type=_Refusal).error
    except msgspec.DecodeError:
        raise BackendProtocolError(f"What answers there is not a Seekway gateway: it says {status}.") from None
    if status == 401:
        raise AuthenticationFailed(f"{error.message.rstrip('.')}; set SEEKWAY_API_KEY to one of the gateway's keys.")
    raise error_from_code(str(error.code), error.message)


def _broken() -> StreamInterrupted:
    return StreamInterrupted("The answer broke off: the gateway closed the connection.")
