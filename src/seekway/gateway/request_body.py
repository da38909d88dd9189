"""Reads a request's body within its bounds of size and time."""

from __future__ import annotations

import asyncio

from starlette.requests import ClientDisconnect, Request

from seekway.core.errors import BodyTooLarge, Cancelled, RequestTimeout

_LINGER_S = 1.0


async def read_body(request: Request, most_bytes: int, deadline: float) -> bytes:
    """The body, however it is framed; ``deadline`` is in the loop's time.

    Raises ``BodyTooLarge`` (413), ``RequestTimeout`` (408), ``Cancelled`` when the client goes away meanwhile.
    """
    chunks = bytearray()
    stream = request.stream()
    try:
        async with asyncio.timeout_at(deadline):
            too_large = _announced(request) > most_bytes
            if not too_large:
                async for chunk in stream:
                    chunks += chunk
                    if len(chunks) > most_bytes:
                        too_large = True
                        break
    except TimeoutError as error:
        raise RequestTimeout("The request's body did not arrive in time; send it again.") from error
    except ClientDisconnect as error:
        raise Cancelled("The client went away while sending the request.") from error
    if too_large:
        chunks.clear()
        await _swallow(request, most_bytes)
        raise BodyTooLarge(f"The body is larger than {most_bytes} bytes; send less, or raise gateway.max_body_bytes.")
    return bytes(chunks)


def _announced(request: Request) -> int:
    length = request.headers.get("content-length", "")
    return int(length) if length.isascii() and length.isdigit() else 0


async def _swallow(request: Request, most_bytes: int) -> None:
    """Throw away a little more, so that a client that sends before it reads sees the answer and not a reset connection."""
    swallowed = 0
    try:
        async with asyncio.timeout(_LINGER_S):
            while swallowed <= most_bytes:
                message = await request.receive()
                if message["type"] != "http.request" or not message.get("more_body", False):
                    return
                swallowed += len(message.get("body", b""))
    except TimeoutError:
        return
