"""Conversations, their variables, and those who lead them."""

from __future__ import annotations

from typing import Any, Final, cast, get_args

import msgspec
from starlette.responses import Response

from seekway.applications.records import Conversation, EndUser, Variable
from seekway.applications.store.conversations import Order
from seekway.core.errors import InvalidParameter, NotFound
from seekway.gateway.dify.app_call import AppCall, Rows, WireUser, done, reply, seconds, session_of
from seekway.gateway.dify.errors import DifyRefusal
from seekway.gateway.dify.moments import iso
from seekway.gateway.dify.variable_types import fits

_MOST: Final = 100
_MOST_NAME: Final = 255


class WireConversation(msgspec.Struct, frozen=True):
    id: str
    name: str
    inputs: dict[str, Any]
    status: str
    introduction: str
    created_at: int
    updated_at: int


class WireVariable(msgspec.Struct, frozen=True):
    id: str
    name: str
    value_type: str
    value: Any
    description: str
    created_at: int
    updated_at: int


class WireEndUser(msgspec.Struct, frozen=True):
    id: str
    tenant_id: str
    app_id: str
    type: str
    external_user_id: str
    name: str
    is_anonymous: bool
    session_id: str
    created_at: str
    updated_at: str


class NameBody(msgspec.Struct, frozen=True):
    name: str | None = None
    auto_generate: bool | None = None
    user: WireUser = None


class UserBody(msgspec.Struct, frozen=True):
    user: WireUser = None


class ValueBody(msgspec.Struct, frozen=True):
    value: Any
    user: WireUser = None


async def list_conversations(call: AppCall) -> Response:
    call.only_chat()
    limit, last = call.asked_whole("limit", 20, _MOST), call.asked_id("last_id")
    order = call.asked("sort_by") or "-updated_at"
    if order not in get_args(Order):
        raise InvalidParameter(f"sort_by is one of {', '.join(get_args(Order))}.", param="sort_by")
    user = await call.asked_user()
    try:
        found, more = await call.store.conversations.conversations(
            call.app.id, user.id, after=last, limit=limit, order=cast("Order", order)
        )
    except NotFound as error:
        raise NotFound("Last Conversation Not Exists.", param="last_id") from error
    return reply(Rows(limit, more, [_wire(one) for one in found]))


async def rename(call: AppCall) -> Response:
    """A name, or one that a model finds."""
    call.only_chat()
    conversation = call.id_of_path("conversation_id")
    body = await call.body(NameBody)
    user = await call.user(session_of(body.user, required=False))
    if body.auto_generate:
        known = await call.store.conversations.conversation(call.app.id, user.id, conversation)
        return reply(_wire(await call.applications.name(call.app, call.caller, known)))
    name = (body.name or "").strip().replace("\x00", "")
    if not name:
        raise InvalidParameter("name is required when auto_generate is false", param="name")
    if len(name) > _MOST_NAME:
        raise InvalidParameter(f"name has at most {_MOST_NAME} characters.", param="name")
    return reply(_wire(await call.store.conversations.rename(call.app.id, user.id, conversation, name)))


async def delete(call: AppCall) -> Response:
    call.only_chat()
    conversation = call.id_of_path("conversation_id")
    asked = (await call.body_or(UserBody)).user or call.asked("user")
    user = await call.user(session_of(asked, required=False))
    await call.store.conversations.delete(call.app.id, user.id, conversation)
    return done()


async def list_variables(call: AppCall) -> Response:
    call.only_chat()
    limit, last = call.asked_whole("limit", 20, _MOST), call.asked_id("last_id")
    known = await _conversation(call, await call.asked_user())
    name = call.asked("variable_name") or None
    found, more = await call.store.conversations.variables(known.id, name=name, after=last, limit=limit)
    return reply(Rows(limit, more, [_wire_variable(one) for one in found]))


async def set_variable(call: AppCall) -> Response:
    call.only_chat()
    variable = call.id_of_path("variable_id")
    body = await call.body(ValueBody)
    known = await _conversation(call, await call.user(session_of(body.user, required=False)))
    conversations = call.store.conversations
    now = await conversations.variable(known.id, variable)
    if not fits(now.value_type, body.value):
        raise DifyRefusal(
            400,
            "bad_request",
            f"Type mismatch: variable '{now.name}' expects {now.value_type} type, but got another.",
        )
    return reply(_wire_variable(await conversations.set_variable(known.id, variable, body.value)))


async def show_end_user(call: AppCall) -> Response:
    try:
        found = await call.store.conversations.user_by_id(call.app.tenant, call.app.id, call.id_of_path("end_user_id"))
    except NotFound as error:
        raise DifyRefusal(404, "end_user_not_found", "End user not found.") from error
    return reply(_wire_user(found))


async def _conversation(call: AppCall, user: EndUser) -> Conversation:
    return await call.store.conversations.conversation(call.app.id, user.id, call.id_of_path("conversation_id"))


def _wire(conversation: Conversation) -> WireConversation:
    return WireConversation(
        conversation.id,
        conversation.name,
        conversation.inputs,
        conversation.status,
        conversation.introduction,
        seconds(conversation.created_at),
        seconds(conversation.updated_at),
    )


def _wire_variable(variable: Variable) -> WireVariable:
    return WireVariable(
        variable.id,
        variable.name,
        variable.value_type,
        variable.value,
        variable.description,
        seconds(variable.created_at),
        seconds(variable.updated_at),
    )


def _wire_user(user: EndUser) -> WireEndUser:
    return WireEndUser(
        id=user.id,
        tenant_id=user.tenant,
        app_id=user.app,
        type="service-api",
        external_user_id=user.session,
        name=user.session,
        is_anonymous=user.anonymous,
        session_id=user.session,
        created_at=iso(user.created_at),
        updated_at=iso(user.updated_at),
    )
