"""What was said in a conversation, what may be asked next, and what users thought of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal

import msgspec
from starlette.responses import Response

from seekway.applications.records import Feedback, Message, Rating, Thought
from seekway.core.errors import InvalidParameter
from seekway.gateway.dify.answer_wire import WireMessageFile, WireSource, wire_file, wire_sources
from seekway.gateway.dify.app_call import AppCall, Result, Rows, WireUser, reply, seconds, session_of
from seekway.gateway.dify.errors import DifyRefusal
from seekway.gateway.dify.moments import iso

_MOST: Final = 100
_MOST_FEEDBACKS: Final = 101
_NO_PARENT: Final = "00000000-0000-0000-0000-000000000000"
"""What Dify writes for messages that came over its API."""


class FeedbackBody(msgspec.Struct, frozen=True):
    rating: Rating | None = None
    user: WireUser = None
    content: str | None = None


class WireRating(msgspec.Struct, frozen=True):
    rating: Rating


class WireThought(msgspec.Struct, frozen=True):
    id: str
    chain_id: str
    message_id: str
    position: int
    thought: str
    tool: str
    tool_labels: dict[str, dict[str, str]]
    tool_input: str
    observation: str
    files: Sequence[str]
    created_at: int


class WireMessage(msgspec.Struct, frozen=True):
    id: str
    conversation_id: str
    parent_message_id: str
    inputs: dict[str, Any]
    query: str
    answer: str
    status: Literal["normal", "error"]
    error: str | None
    message_files: Sequence[WireMessageFile]
    feedback: WireRating | None
    retriever_resources: Sequence[WireSource]
    agent_thoughts: Sequence[WireThought]
    created_at: int
    extra_contents: Sequence[object]
    message_tokens: int
    answer_tokens: int
    total_tokens: int
    provider_response_latency: float
    total_price: str
    currency: str


class WireFeedback(msgspec.Struct, frozen=True):
    id: str
    app_id: str
    conversation_id: str
    message_id: str
    rating: Rating
    content: str
    from_source: str
    from_end_user_id: str
    from_account_id: None
    created_at: str
    updated_at: str


class Feedbacks(msgspec.Struct, frozen=True):
    data: Sequence[WireFeedback]


class Questions(msgspec.Struct, frozen=True):
    data: Sequence[str]
    result: str = "success"


async def list_messages(call: AppCall) -> Response:
    """The newest behind ``first_id``, the oldest of them first."""
    call.only_chat()
    limit = call.asked_whole("limit", 20, _MOST)
    first = call.asked_id("first_id")
    conversation = call.asked_id("conversation_id")
    if conversation is None:
        raise InvalidParameter("conversation_id is missing.", param="conversation_id")
    user = await call.asked_user()
    messages = call.store.messages
    found, more = await messages.messages(call.app.id, user.id, conversation, before=first, limit=limit)
    found.reverse()
    ids = [message.id for message in found]
    thoughts = await messages.thoughts(ids) if call.app.definition.mode == "agent-chat" else {}
    ratings = await messages.ratings(user.id, ids)
    data = [_wire(call, one, thoughts.get(one.id, ()), ratings.get(one.id)) for one in found]
    return reply(Rows(limit, more, data))


async def suggested(call: AppCall) -> Response:
    call.only_chat()
    user = await call.asked_user(required=True)
    message = await call.store.messages.message(call.app.id, user.id, call.id_of_path("message_id"))
    if not call.app.definition.follow_ups:
        raise DifyRefusal(400, "bad_request", "Suggested Questions Is Disabled.")
    return reply(Questions(await call.applications.follow_ups(call.app, call.caller, message)))


async def rate(call: AppCall) -> Response:
    """``rating`` null takes it back, also where there is none."""
    message = call.id_of_path("message_id")
    body = await call.body(FeedbackBody)
    user = await call.user(session_of(body.user, required=True))
    await call.store.messages.rate(call.app.id, user.id, message, body.rating, body.content or "")
    return reply(Result())


async def list_feedbacks(call: AppCall) -> Response:
    page, limit = call.asked_whole("page", 1, 10**8), call.asked_whole("limit", 20, _MOST_FEEDBACKS)
    found = await call.store.messages.feedbacks(call.app.id, page=page, limit=limit)
    return reply(Feedbacks([_wire_feedback(one) for one in found]))


def _wire(call: AppCall, message: Message, thoughts: Sequence[Thought], feedback: Feedback | None) -> WireMessage:
    cost = message.cost
    return WireMessage(
        id=message.id,
        conversation_id=message.conversation,
        parent_message_id=_NO_PARENT,
        inputs=message.inputs,
        query=message.query,
        answer=message.answer,
        status="error" if message.status == "error" else "normal",
        error=message.error or None,
        message_files=[wire_file(call.base, file) for file in message.files],
        feedback=None if feedback is None else WireRating(feedback.rating),
        retriever_resources=wire_sources(message),
        agent_thoughts=[_wire_thought(thought) for thought in thoughts],
        created_at=seconds(message.created_at),
        extra_contents=(),
        message_tokens=cost.prompt_tokens,
        answer_tokens=cost.completion_tokens,
        total_tokens=cost.prompt_tokens + cost.completion_tokens,
        provider_response_latency=cost.latency_s,
        total_price=cost.total_price,
        currency=cost.currency,
    )


def _wire_thought(thought: Thought) -> WireThought:
    return WireThought(
        id=thought.id,
        chain_id="",
        message_id=thought.message,
        position=thought.position,
        thought=thought.text,
        tool=thought.tool,
        tool_labels=thought.labels,
        tool_input=thought.tool_input,
        observation=thought.observation,
        files=thought.files,
        created_at=seconds(thought.created_at),
    )


def _wire_feedback(feedback: Feedback) -> WireFeedback:
    return WireFeedback(
        id=feedback.id,
        app_id=feedback.app,
        conversation_id=feedback.conversation,
        message_id=feedback.message,
        rating=feedback.rating,
        content=feedback.content,
        from_source="user",
        from_end_user_id=feedback.user,
        from_account_id=None,
        created_at=iso(feedback.created_at),
        updated_at=iso(feedback.updated_at),
    )
