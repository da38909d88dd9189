"""Questions to applications, and the switch that ends an answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Any, Final

import msgspec
from starlette.responses import Response

from seekway.applications.definition import FileKind, TransferMethod
from seekway.applications.events import AppEvent, Began, Ended
from seekway.applications.records import Message
from seekway.applications.service import Asked, AskedFile
from seekway.core.errors import Cancelled, DeadlineExceeded, InternalError, InvalidParameter, SeekwayError
from seekway.gateway.dify.answer_events import AnswerEvents
from seekway.gateway.dify.answer_wire import whole_answer
from seekway.gateway.dify.app_call import AppCall, Result, WireUser, checked_id, reply, session_of
from seekway.gateway.dify.app_errors import app_unavailable, way, way_of_answer
from seekway.gateway.dify.errors import DifyRefusal
from seekway.gateway.dify.event_stream import ClientGone, EventStream, gone, note_event

_STREAMING: Final = "streaming"


class FileBody(msgspec.Struct, frozen=True):
    type: FileKind
    transfer_method: TransferMethod
    url: str | None = None
    upload_file_id: str | None = None


class QuestionBody(msgspec.Struct, frozen=True):
    """Of chats and completions alike. ``inputs`` null or absent has no variables; ``response_mode`` is anything: only ``streaming`` streams."""

    inputs: dict[str, Any] | None = None
    query: str | None = None
    user: WireUser = None
    response_mode: str | None = None
    conversation_id: str | None = None
    files: Sequence[FileBody] | None = None
    auto_generate_name: bool | None = True
    workflow_id: str | None = None


class StopBody(msgspec.Struct, frozen=True):
    user: WireUser = None


async def ask_chat(call: AppCall) -> Response:
    call.only_chat()
    call.record.operation = "chat-messages"
    body = await call.body(QuestionBody)
    session = session_of(body.user, required=True)
    if body.query is None:
        raise InvalidParameter("query is missing.", param="query")
    streams = body.response_mode == _STREAMING
    if call.app.definition.mode == "agent-chat" and not streams:
        raise DifyRefusal(400, "bad_request", "Agent Chat App does not support blocking mode")
    conversation = checked_id(body.conversation_id, "conversation_id")
    auto_name = body.auto_generate_name is not False
    return await _run(call, _asked(body, session, conversation, auto_name=auto_name, streams=streams))


async def ask_completion(call: AppCall) -> Response:
    if call.app.definition.mode != "completion":
        raise app_unavailable()
    call.record.operation = "completion-messages"
    body = await call.body(QuestionBody)
    session = session_of(body.user, required=True)
    streams = body.response_mode == _STREAMING
    return await _run(call, _asked(body, session, None, auto_name=False, streams=streams))


async def stop_chat(call: AppCall) -> Response:
    call.only_chat()
    return await _stop(call)


async def stop_completion(call: AppCall) -> Response:
    if call.app.definition.mode != "completion":
        raise app_unavailable()
    return await _stop(call)


async def _stop(call: AppCall) -> Response:
    session = session_of((await call.body(StopBody)).user, required=True)
    await call.applications.stop(call.app, call.named("task_id"), session)
    return reply(Result())


def _asked(
    body: QuestionBody, session: str | None, conversation: str | None, *, auto_name: bool, streams: bool
) -> Asked:
    files = tuple(
        AskedFile(file.type, file.transfer_method, file.url or "", file.upload_file_id or "")
        for file in body.files or ()
    )
    return Asked(
        query=body.query or "",
        inputs=body.inputs or {},
        session=session,
        conversation=conversation,
        files=files,
        auto_name=auto_name,
        blocking=not streams,
    )


async def _run(call: AppCall, asked: Asked) -> Response:
    """Raises what is wrong with the question: with a status of its own, for nothing is answered yet."""
    call.record.model = f"app:{call.app.slug}"
    leave = call.desk.take_turn(call.app)
    events = call.applications.ask(call.app, call.caller, asked)
    streams = False
    try:
        async with asyncio.timeout_at(call.deadline):
            began = await anext(events, None)
        if not isinstance(began, Began):
            raise InternalError("An application's first event was not that it began.")
        if asked.blocking:
            return await _whole(call, began, events)
        streams = True
        writer = AnswerEvents(began, call.app.definition.mode, call.base, call.app.author)
        return EventStream(call, events, writer, leave)
    except TimeoutError as late:
        raise _too_late() from late
    finally:
        if not streams:
            try:
                await events.aclose()
            finally:
                leave()


async def _whole(call: AppCall, began: Began, events: AsyncGenerator[AppEvent, None]) -> Response:
    """The answer in one body; the work ends where the client goes away before."""
    answer: Message | None = None
    error: SeekwayError | None = None
    try:
        async with asyncio.TaskGroup() as group:
            watch = group.create_task(gone(call.request.receive))
            try:
                async with asyncio.timeout_at(call.deadline):
                    async for event in events:
                        note_event(call.record, event)
                        if isinstance(event, Ended):
                            answer = event.message
            except TimeoutError:
                error = _too_late()
            except SeekwayError as refusal:
                error = refusal
            watch.cancel()
    except* ClientGone:
        error = Cancelled("The client went away before the answer was whole.")
    if error is not None:
        if (found := way_of_answer(error)) != way(error):
            raise DifyRefusal(*found, error.message) from error
        raise error
    if answer is None:
        raise InternalError("An application's answer had no end.")
    return reply(whole_answer(began, call.app.definition.mode, answer, call.app.author))


def _too_late() -> DeadlineExceeded:
    return DeadlineExceeded("The answer took longer than gateway.request_timeout_s allows.")
