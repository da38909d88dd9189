"""The HTTP client below an MCP client: answers have a bound, which the library puts on streamed events alone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import cast

import httpx2


def bounded_client(headers: Mapping[str, str], timeout_s: float, most_bytes: int) -> httpx2.AsyncClient:
    """Its answers that are no streams of events raise ``httpx2.StreamError`` where they are longer than ``most_bytes``."""
    return httpx2.AsyncClient(
        # A packed answer would be counted before it is unpacked.
        headers={**headers, "Accept-Encoding": "identity"},
        timeout=httpx2.Timeout(timeout_s),
        transport=_Bounded(most_bytes),
    )


class _Bounded(httpx2.AsyncBaseTransport):
    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._below = httpx2.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        answer = await self._below.handle_async_request(request)
        if "content-encoding" in answer.headers:
            await answer.aclose()
            raise httpx2.RemoteProtocolError("The answer is packed, which was not asked for.", request=request)
        if not answer.headers.get("content-type", "").startswith("text/event-stream"):
            answer.stream = _BoundedStream(cast("httpx2.AsyncByteStream", answer.stream), self._most_bytes)
        return answer

    async def aclose(self) -> None:
        await self._below.aclose()


class _BoundedStream(httpx2.AsyncByteStream):
    def __init__(self, below: httpx2.AsyncByteStream, most_bytes: int) -> None:
        self._below = below
        self._most_bytes = most_bytes

    async def __aiter__(self) -> AsyncIterator[bytes]:
        seen = 0
        async for block in self._below:
            seen += len(block)
            if seen > self._most_bytes:
                raise httpx2.StreamError(f"it is longer than {self._most_bytes:,} bytes")
            yield block

    async def aclose(self) -> None:
        await self._below.aclose()
