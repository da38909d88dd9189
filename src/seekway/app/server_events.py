"""Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html) as the gateway writes them: blocks of ``data:`` lines, comments begin with a colon."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator

import aiohttp

from seekway.core.errors import BackendProtocolError

_MOST_EVENT = 4 * 1024 * 1024


async def events_of(response: aiohttp.ClientResponse) -> AsyncGenerator[bytes]:
    """The data of each event until ``[DONE]``."""
    data: list[bytes] = []
    async for line in _lines(response.content.iter_any()):
        if line.startswith(b"data:"):
            data.append(line[5:].removeprefix(b" "))
        elif not line and data:
            event, data = b"\n".join(data), []
            if event == b"[DONE]":
                return
            yield event


async def _lines(blocks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    rest = b""
    async for block in blocks:
        *lines, rest = (rest + block).split(b"\n")
        for line in lines:
            yield line.removesuffix(b"\r")
        if len(rest) > _MOST_EVENT:
            raise BackendProtocolError("The gateway sent a line without an end.")
