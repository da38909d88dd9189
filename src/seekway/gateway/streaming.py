"""The answer of a model as an ASGI response: streamed or whole, always watching whether the client is still there.

One task drives the backend, one listens for the client's going, the response's own writes.
They share an :class:`ItemBuffer`, so that a slow reader holds the backend back instead of filling the memory,
and whatever waits goes out in one write.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Generic, Protocol, TypeVar

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from structlog.typing import FilteringBoundLogger

from seekway.core.errors import Cancelled, DeadlineExceeded, InternalError, SeekwayError
from seekway.gateway.dialects.openai_errors import encode_error, error_headers
from seekway.gateway.item_buffer import ItemBuffer
from seekway.observability.record import RequestRecord

ItemT = TypeVar("ItemT")
ReadT = TypeVar("ReadT", contravariant=True)

_MOST_WAITING = 256
_GRACE_S = 5.0


class Encoder(Protocol[ReadT]):
    """A dialect's writer for one answer."""

    @property
    def media_type(self) -> str: ...

    @property
    def keep_alive(self) -> bytes:
        """What may stand anywhere between two writes and means nothing."""
        ...

    def feed(self, items: Sequence[ReadT], /) -> bytes:
        """What to write now; empty where the dialect answers all at once."""
        ...

    def end(self) -> bytes: ...

    def fail(self, error: SeekwayError, /) -> bytes:
        """The error as the rest of an answer that has begun."""
        ...


class ModelAnswer(Response, Generic[ItemT]):
    """Headers go out with the first bytes or the first keep-alive; an error before that has its own status.

    ``deadline`` is in the loop's time: the items' generator is closed then, and ``_GRACE_S`` later even a reader that does not read is left.
    """

    def __init__(
        self,
        items: AsyncGenerator[ItemT],
        encoder: Encoder[ItemT],
        *,
        record: RequestRecord,
        log: FilteringBoundLogger,
        keep_alive_interval_s: float,
        deadline: float,
    ) -> None:
        super().__init__()
        self._items = items
        self._encoder = encoder
        self._record = record
        self._log = log
        self._interval_s = keep_alive_interval_s
        self._deadline = deadline
        self._begun = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        buffer: ItemBuffer[ItemT] = ItemBuffer(_MOST_WAITING, self._interval_s)
        try:
            async with asyncio.TaskGroup() as group:
                pump = group.create_task(self._pump(buffer))
                watch = group.create_task(self._watch(receive, buffer, pump))
                try:
                    async with asyncio.timeout_at(self._deadline + _GRACE_S):
                        await self._write(buffer, send)
                except TimeoutError:
                    self._record.error = DeadlineExceeded.code
                finally:
                    pump.cancel()
                    watch.cancel()
        finally:
            buffer.close()
            await self._items.aclose()

    async def _pump(self, buffer: ItemBuffer[ItemT]) -> None:
        """Drive the backend; every way it can end, the client's going apart, is told to the writer."""
        try:
            async with asyncio.timeout_at(self._deadline):
                async for item in self._items:
                    if not buffer.put(item):
                        await buffer.room()
            buffer.end()
        except TimeoutError:
            buffer.end(DeadlineExceeded("The answer took longer than gateway.request_timeout_s allows."))
        except SeekwayError as error:
            buffer.end(error)
        except Exception:  # noqa: BLE001 - the request's edge: what no one foresaw must reach the log and not the client
            self._log.exception("answer_failed", request_id=self._record.request_id)
            buffer.end(InternalError("Something went wrong here; the log has the details under this request's id."))
        finally:
            # Not left to __call__: a reader that does not read would keep the backend's slot until the grace is over.
            await self._items.aclose()

    async def _watch(self, receive: Receive, buffer: ItemBuffer[ItemT], pump: asyncio.Task[None]) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        pump.cancel()
        buffer.client_gone()

    async def _write(self, buffer: ItemBuffer[ItemT], send: Send) -> None:
        encoder = self._encoder
        while True:
            items = await buffer.take()
            if buffer.gone:
                self._record.error = Cancelled.code
                if not self._begun:
                    self._record.status = Cancelled.status
                return
            body = encoder.feed(items) if items else b""
            # take() hands out everything before it lets the end be seen.
            if buffer.ended:
                await self._finish(buffer.error, body, send)
                return
            if not body and not items:
                body = encoder.keep_alive
            if body:
                await self._send(send, body, more=True)
                buffer.written()

    async def _finish(self, error: SeekwayError | None, body: bytes, send: Send) -> None:
        if error is None:
            try:
                await self._send(send, body + self._encoder.end(), more=False)
            except SeekwayError as unfinished:
                error = unfinished
            else:
                return
        self._record.error = error.code
        if self._begun or body:
            await self._send(send, body + self._encoder.fail(error), more=False)
            return
        refusal = error_response(error)
        await send({"type": "http.response.start", "status": refusal.status_code, "headers": refusal.raw_headers})
        await send({"type": "http.response.body", "body": bytes(refusal.body)})

    async def _send(self, send: Send, body: bytes, *, more: bool) -> None:
        if not self._begun:
            self._begun = True
            headers = [
                (b"content-type", self._encoder.media_type.encode()),
                (b"cache-control", b"no-cache"),
                (b"x-accel-buffering", b"no"),
            ]
            if not more:
                headers.append((b"content-length", str(len(body)).encode()))
            await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": more})


def error_response(error: SeekwayError) -> Response:
    return Response(encode_error(error), error.status, error_headers(error), "application/json")
