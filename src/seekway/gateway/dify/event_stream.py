"""A running answer as server-sent events over ASGI: every event is written at once, and a client that goes away ends the work."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Final

from starlette.responses import Response
from starlette.types import Message as AsgiMessage
from starlette.types import Receive, Scope, Send

from seekway.applications.events import AnswerDelta, AppEvent, Ended
from seekway.applications.records import Message
from seekway.core.errors import Cancelled, DeadlineExceeded, InternalError, SeekwayError, unforeseen
from seekway.core.types import Usage
from seekway.gateway.dify.answer_events import PING, AnswerEvents
from seekway.gateway.dify.app_call import AppCall
from seekway.observability.record import RequestRecord

_GRACE_S: Final = 5.0
"""How long a client that does not read is waited for with the last words."""

_HEAD: Final = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
]


class ClientGone(Exception):
    """Ends the task group of an answer whose client went away."""


class EventStream(Response):
    """``events`` are behind the first; ``leave`` is called once when no more of the answer runs."""

    def __init__(
        self,
        call: AppCall,
        events: AsyncGenerator[AppEvent, None],
        writer: AnswerEvents,
        leave: Callable[[], None],
    ) -> None:
        super().__init__()
        self._call = call
        self._events = events
        self._writer = writer
        self._leave = leave
        self._loop = asyncio.get_running_loop()
        self._touched = self._loop.time()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        record = self._call.record
        try:
            # Headers go out before the model is asked: proxies and clients see that the answer has begun.
            await send({"type": "http.response.start", "status": 200, "headers": list(_HEAD)})
            await send(_body(b""))
            async with asyncio.TaskGroup() as group:
                beside = group.create_task(self._beside(receive, send))
                await self._answer(record, send)
                beside.cancel()
        except* ClientGone:
            record.error = Cancelled.code
        finally:
            # First the work, then the place that it took.
            try:
                await self._events.aclose()
            finally:
                self._leave()

    async def _answer(self, record: RequestRecord, send: Send) -> None:
        try:
            async with asyncio.timeout_at(self._call.deadline):
                async for event in self._events:
                    note_event(record, event)
                    if written := self._writer.write(event):
                        self._touched = self._loop.time()
                        await send(_body(written))
                await send(_body(b"", more=False))
                return
        except TimeoutError:
            error: SeekwayError = DeadlineExceeded("The answer took longer than gateway.request_timeout_s allows.")
        except SeekwayError as refusal:
            error = refusal
        except Exception as failure:  # noqa: BLE001 - the request's edge: the head is out, so that only an event can say it
            error = unforeseen(failure)
        record.error = error.code
        if isinstance(error, InternalError) and error.__cause__ is not None:
            self._call.front.log.error("answer_failed", request_id=record.request_id, exc_info=error.__cause__)
        try:
            async with asyncio.timeout(_GRACE_S):
                await send(_body(self._writer.fail(error), more=False))
        except TimeoutError:
            return

    async def _beside(self, receive: Receive, send: Send) -> None:
        """Notice that the client goes, and keep the connection alive while nothing is said."""
        interval = self._call.front.services.settings.keep_alive_interval_s
        while True:
            try:
                async with asyncio.timeout_at(self._touched + interval):
                    await gone(receive)
            except TimeoutError:
                if self._loop.time() - self._touched >= interval:
                    self._touched = self._loop.time()
                    await send(_body(PING))


async def gone(receive: Callable[[], Awaitable[AsgiMessage]]) -> None:
    """Raises :class:`ClientGone` when the client goes away; never returns."""
    while (await receive())["type"] != "http.disconnect":
        pass
    raise ClientGone


def note_event(record: RequestRecord, event: AppEvent) -> None:
    """For the access log and the metrics."""
    if isinstance(event, AnswerDelta):
        record.last_token_at = record.started + record.duration_s()
        if record.first_token_at is None:
            record.first_token_at = record.last_token_at
    elif isinstance(event, Ended):
        note_message(record, event.message)


def note_message(record: RequestRecord, message: Message) -> None:
    record.usage = Usage(message.cost.prompt_tokens, message.cost.completion_tokens)


def _body(body: bytes, *, more: bool = True) -> AsgiMessage:
    return {"type": "http.response.body", "body": body, "more_body": more}
