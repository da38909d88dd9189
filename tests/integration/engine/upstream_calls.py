"""What the tests of the upstream backend share: a backend connected to a scripted server, and ways to ask it."""

from __future__ import annotations

import json
import traceback
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from seekway.core.errors import (
    SeekwayError,
)
from seekway.core.sections.backends import BackendSettings
from seekway.core.types import (
    Event,
    Finish,
    GenerateRequest,
    Message,
    TextDelta,
    Usage,
)
from seekway.engine.upstream.backend import UpstreamBackend
from tests.fakes.upstream import (
    STREAM,
    USAGE,
    Exchange,
    FakeUpstream,
    Script,
    content,
    finish,
)

KEY = "sk-very-secret-0123456789"
HELLO: list[Event] = [TextDelta("Hello"), TextDelta(" world"), Usage(7, 2), Finish("stop")]
WELL = b"".join(
    f"data: {text if isinstance(text, str) else json.dumps(text)}\n\n".encode()
    for text in (content("Hello"), content(" world"), finish(), USAGE, "[DONE]")
)


@asynccontextmanager
async def connected(
    *scripts: Script, url: str | None = None, **settings: Any
) -> AsyncGenerator[tuple[FakeUpstream, UpstreamBackend]]:
    settings = {"idle_timeout_s": 30.0, **settings}
    async with FakeUpstream(*scripts) as upstream:
        backend = UpstreamBackend(BackendSettings("fake", url or upstream.url, **settings), KEY)
        try:
            yield upstream, backend
        finally:
            await backend.close()


def ask(deadline_s: float | None = None) -> GenerateRequest:
    return GenerateRequest("r1", "m", (Message("user", "hi"),), deadline_s=deadline_s)


async def collect(backend: UpstreamBackend, request: GenerateRequest | None = None) -> list[Event]:
    return [event async for event in backend.generate(request or ask())]


def answer(status: int, body: bytes, *headers: str) -> Script:
    async def script(exchange: Exchange) -> None:
        await exchange.answer(status, body, *headers)

    return script


def stream_of(data: bytes) -> Script:
    return answer(200, data, STREAM)


async def refusal(*scripts: Script, **settings: Any) -> SeekwayError:
    async with connected(*scripts, **settings) as (_, backend):
        with pytest.raises(SeekwayError) as caught:
            await collect(backend)
        # A whole traceback, causes and contexts included, is what a careless log would show.
        assert KEY not in "".join(traceback.format_exception(caught.value)) + repr(backend) + repr(caught.value)
        # Nothing of a socket, of TLS or of a parser hangs on ours.
        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None or caught.value.__suppress_context__
        return caught.value
