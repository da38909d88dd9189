"""A model call over ASGI: what answers where the fast path does not, in whatever server the application runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from seekway.core.errors import SeekwayError
from seekway.gateway.client_writer import RawHeaders
from seekway.gateway.model_call import CallServices, ModelCall, Operation
from seekway.gateway.request_body import read_body
from seekway.gateway.request_edge import record_of
from seekway.pipeline.exchange import Headers

_HIGH_WATER = 64 * 1024
_GRACE_S = 5.0


async def asgi_answer(services: CallServices, operation: Operation, request: Request) -> Response:
    """The endpoint of a model route; refuses before it reads the body."""
    record = record_of(request)
    answer = AsgiAnswer()
    call = ModelCall(services, operation, record, Headers(request.scope["headers"]), answer, answer.wake)
    answer.call = call
    if call.admit():
        try:
            body = await read_body(request, services.settings.max_body_bytes, call.deadline)
        except SeekwayError as error:
            call.fail(error)
        except BaseException:
            call.gone()
            raise
        else:
            answer.begin_call = lambda: call.run(request.url.path, body)
    return answer


class AsgiAnswer(Response):
    """A :class:`seekway.gateway.client_writer.ClientWriter` whose bytes wait here until the server has taken those before."""

    call: ModelCall

    def __init__(self) -> None:
        super().__init__()
        self.begin_call: Callable[[], None] | None = None
        self._start: dict[str, object] | None = None
        self._waiting = bytearray()
        self._ended = False
        self._gone = False
        self._held = False
        self._waker: asyncio.Future[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with asyncio.TaskGroup() as group:
            watch = group.create_task(self._watch(receive))
            try:
                if self.begin_call is not None:
                    self.begin_call()
                async with asyncio.timeout_at(self.call.deadline + _GRACE_S):
                    await self._write(send)
            except TimeoutError:
                # A client that does not read is left.
                pass
            finally:
                self.call.gone()
                watch.cancel()

    def answer(self, status: int, media_type: str, headers: RawHeaders, body: bytes) -> None:
        self._head(status, media_type, [*headers, (b"content-length", str(len(body)).encode())])
        self.finish(body)

    def begin(self, media_type: str, headers: RawHeaders) -> None:
        self._head(200, media_type, headers)

    def write(self, body: bytes) -> None:
        self._waiting += body
        if len(self._waiting) > _HIGH_WATER and not self._held:
            self._held = True
            self.call.hold()
        self.wake()

    def finish(self, body: bytes) -> None:
        self._waiting += body
        self._ended = True
        self.wake()

    def wake(self) -> None:
        if self._waker is not None and not self._waker.done():
            self._waker.set_result(None)

    def _head(self, status: int, media_type: str, headers: RawHeaders) -> None:
        raw = [(b"content-type", media_type.encode()), *headers]
        self._start = {"type": "http.response.start", "status": status, "headers": raw}

    async def _watch(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._gone = True
        self.call.gone()
        self.wake()

    async def _write(self, send: Send) -> None:
        while not self._gone:
            if self._start is None or not (self._waiting or self._ended):
                self._waker = asyncio.get_running_loop().create_future()
                await self._waker
                continue
            if self._start:
                await send(self._start)
                self._start = {}
            body, ended = bytes(self._waiting), self._ended
            self._waiting.clear()
            await send({"type": "http.response.body", "body": body, "more_body": not ended})
            if ended:
                return
            if self._held:
                self._held = False
                self.call.go_on()
