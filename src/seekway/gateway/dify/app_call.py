"""One request to an application: who asks, what of it is read, and how it is answered."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Any, Final, Literal, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from seekway.applications.records import AppRecord, EndUser
from seekway.applications.service import Applications
from seekway.applications.store.app_store import AppStore
from seekway.core.caller import Caller
from seekway.core.errors import InternalError, InvalidParameter, NotFound, SeekwayError
from seekway.gateway.dialects.json_body import BodyDecoder
from seekway.gateway.dify.app_desk import AppDesk
from seekway.gateway.dify.app_errors import APP_ERRORS, not_chat_app
from seekway.gateway.dify.errors import DifyRefusal
from seekway.gateway.error_response import error_response
from seekway.gateway.front import Front
from seekway.gateway.request_body import read_body
from seekway.gateway.request_edge import record_of
from seekway.observability.record import RequestRecord
from seekway.pipeline.exchange import Headers

BodyT = TypeVar("BodyT", bound=msgspec.Struct)
WireUser = str | int | float | None
"""Dify turns numbers into text."""

SHARED_USER: Final = "DEFAULT-USER"
"""Whom Dify takes where nobody is named."""

_LONGEST_USER: Final = 512
_ENCODER: Final = msgspec.json.Encoder()


class AppCall:
    """``caller`` has the key of ``app``; nothing of another application is reached from here."""

    def __init__(
        self, request: Request, front: Front, applications: Applications, desk: AppDesk, caller: Caller, app: AppRecord
    ) -> None:
        self.request = request
        self.front = front
        self.applications = applications
        self.desk = desk
        self.caller = caller
        self.app = app

    @property
    def store(self) -> AppStore:
        return self.applications.store

    @property
    def record(self) -> RequestRecord:
        return record_of(self.request)

    @property
    def deadline(self) -> float:
        """On the loop's clock."""
        loop, settings = asyncio.get_running_loop(), self.front.services.settings
        return loop.time() - self.record.duration_s() + settings.request_timeout_s

    def base(self) -> str:
        """The gateway's address, as the client knows it."""
        return str(self.request.base_url).rstrip("/")

    def named(self, name: str) -> str:
        """Of the path."""
        return str(self.request.path_params[name])

    def id_of_path(self, name: str) -> str:
        """Raises ``NotFound`` for what is no UUID: Dify has no such route."""
        found = _uuid(self.named(name))
        if found is None:
            raise NotFound("The requested URL was not found on the server.")
        return found

    def asked(self, name: str) -> str:
        """Of the query, empty where it is not there; without NUL, which PostgreSQL does not know."""
        return self.request.query_params.get(name, "").replace("\x00", "")

    def asked_id(self, name: str) -> str | None:
        """None where it is absent or empty. Raises ``InvalidParameter``."""
        return checked_id(self.asked(name), name)

    def asked_whole(self, name: str, default: int, most: int) -> int:
        """A number from 1 to ``most``. Raises ``InvalidParameter``."""
        text = self.asked(name)
        if not text:
            return default
        if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= most):
            raise InvalidParameter(f"{name} is a whole number from 1 to {most}.", param=name)
        return int(text[:9])

    async def body(self, struct: type[BodyT]) -> BodyT:
        """From JSON, whatever the content type says; unknown fields are passed over."""
        return _decoder(struct).decode_known(await self._raw())

    async def body_or(self, struct: type[BodyT]) -> BodyT:
        """As :meth:`body`; nothing stands for an object without members."""
        return _decoder(struct).decode_known(await self._raw() or b"{}")

    async def user(self, session: str | None) -> EndUser:
        """Made where he is new."""
        name = session or SHARED_USER
        return await self.store.conversations.user(self.app.tenant, self.app.id, name, anonymous=session is None)

    async def asked_user(self, *, required: bool = False) -> EndUser:
        """Of the query."""
        return await self.user(session_of(self.asked("user"), required=required))

    def only_chat(self) -> None:
        """Raises :class:`DifyRefusal` for an application without conversations."""
        if self.app.definition.mode == "completion":
            raise not_chat_app()

    async def _raw(self) -> bytes:
        return await read_body(self.request, self.front.services.settings.max_body_bytes, self.deadline)


Handler = Callable[[AppCall], Awaitable[Response]]


def app_endpoint(front: Front, desk: AppDesk, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """The key is looked at first; every refusal is in Dify's envelope."""

    async def answer(request: Request) -> Response:
        record = record_of(request)
        try:
            return await handler(await _open(front, desk, request, record))
        except DifyRefusal as refusal:
            record.error = refusal.code
            return refusal.response()
        except SeekwayError as error:
            return refused(front, record, error)

    answer.__name__ = handler.__name__
    answer.__doc__ = handler.__doc__
    return answer


def refused(front: Front, record: RequestRecord, error: SeekwayError) -> Response:
    """The envelope of ``error``, which is noted; the cause of what nobody foresaw is in the log alone."""
    record.error = error.code
    if isinstance(error, InternalError) and error.__cause__ is not None:
        front.log.error("answer_failed", request_id=record.request_id, exc_info=error.__cause__)
    return error_response(error, APP_ERRORS, record.request_id)


async def _open(front: Front, desk: AppDesk, request: Request, record: RequestRecord) -> AppCall:
    applications = front.applications
    if applications is None:
        raise DifyRefusal(
            403, "forbidden", "Applications are switched off here; set applications.enabled = true to serve them."
        )
    headers, authenticator = Headers(request.scope["headers"]), front.services.authenticator
    caller, app = await desk.opened.open(headers, authenticator, applications.store.apps)
    record.tenant, record.key_id = caller.tenant, caller.key_id
    return AppCall(request, front, applications, desk, caller, app)


def session_of(user: WireUser, *, required: bool) -> str | None:
    """The caller's name for the end user, None for the one that all share. Raises ``InvalidParameter`` where one must be named, or is longer than a database's index takes."""
    if user is None or user == "":
        if required:
            raise InvalidParameter("Arg user must be provided.", param="user")
        return None
    name = str(user).replace("\x00", "")
    if len(name) > _LONGEST_USER:
        raise InvalidParameter(f"user has at most {_LONGEST_USER} characters.", param="user")
    return name


def checked_id(text: str | None, name: str) -> str | None:
    """None where it is absent or empty. Raises ``InvalidParameter`` for what is no UUID."""
    if not text:
        return None
    found = _uuid(text)
    if found is None:
        raise InvalidParameter(f"{name} is not a valid UUID.", param=name)
    return found


def _uuid(text: str) -> str | None:
    try:
        return str(uuid.UUID(text))
    except ValueError:
        return None


class Result(msgspec.Struct, frozen=True):
    result: Literal["success"] = "success"


class Rows(msgspec.Struct, frozen=True):
    """A list that is read on behind its last row."""

    limit: int
    has_more: bool
    data: list[Any]


def reply(value: Any, status: int = 200) -> Response:
    return Response(_ENCODER.encode(value), status, media_type="application/json")


def done() -> Response:
    """What Dify answers to what has no answer."""
    return Response(status_code=204)


def seconds(moment_ms: int) -> int:
    return moment_ms // 1000


@lru_cache(maxsize=64)
def _decoder(struct: type[BodyT]) -> BodyDecoder[BodyT]:
    return BodyDecoder(struct)
