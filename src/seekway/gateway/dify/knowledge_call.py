"""One request to the knowledge API: who asks, what of it is read, and how it is answered."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Sequence
from functools import lru_cache
from typing import Any, Final, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from seekway.core.caller import Caller
from seekway.core.errors import BodyTooLarge, InvalidParameter, SeekwayError
from seekway.gateway.dialects.json_body import BodyDecoder
from seekway.gateway.dify.errors import DIFY_ERRORS, DifyRefusal
from seekway.gateway.dify.keys import dataset_caller
from seekway.gateway.error_response import error_response
from seekway.gateway.front import Front
from seekway.gateway.request_body import read_body
from seekway.gateway.request_edge import record_of
from seekway.knowledge.ingest.records import DocumentKey
from seekway.knowledge.knowledge_base import KnowledgeBase
from seekway.observability.record import RequestRecord
from seekway.pipeline.exchange import Headers

BodyT = TypeVar("BodyT", bound=msgspec.Struct)
MOST_OF_A_PAGE: Final = 100
_ACCOUNTS: Final = uuid.UUID("7b1c0f0e-6f0a-4c58-9d9e-3d4f0f5a8f11")
_ESCAPED: Final = 2
"""A text in JSON may be so many times as long as its UTF-8: Chinese that is written as \\u4e2d."""


class KnowledgeCall:
    """``caller`` has a key that opens ``knowledge``; nothing of another tenant's is reached from here."""

    def __init__(self, request: Request, front: Front, knowledge: KnowledgeBase, caller: Caller) -> None:
        self.request = request
        self.front = front
        self.knowledge = knowledge
        self.tenant = caller.tenant
        self.account = str(uuid.uuid5(_ACCOUNTS, caller.tenant))
        """Who made things, for clients that want a name for it: Dify's accounts are people, here it is the tenant."""

    @property
    def dataset(self) -> str:
        return self.named("dataset_id")

    @property
    def document(self) -> DocumentKey:
        return DocumentKey(self.tenant, self.dataset, self.named("document_id"))

    def named(self, name: str) -> str:
        """Of the path."""
        return _without_nul(str(self.request.path_params[name]), name)

    def asked(self, name: str) -> str:
        """Of the query, empty where it is not there."""
        return _without_nul(self.request.query_params.get(name, ""), name)

    def several(self, *names: str) -> list[str]:
        found = [(name, value) for name in names for value in self.request.query_params.getlist(name)]
        return [_without_nul(value, name) for name, value in found if value]

    def page(self) -> tuple[int, int]:
        """Which page, and how long it is at most."""
        return self._whole("page", 1), min(MOST_OF_A_PAGE, self._whole("limit", 20))

    async def raw(self, most_bytes: int) -> bytes:
        """The body. Raises :class:`DifyRefusal` where it is longer."""
        loop = asyncio.get_running_loop()
        try:
            return await read_body(
                self.request, most_bytes, loop.time() + self.front.services.settings.request_timeout_s
            )
        except BodyTooLarge as error:
            raise DifyRefusal(
                413,
                "file_too_large",
                f"The file or text is larger than {self.knowledge.max_file_bytes} bytes; send less, or raise knowledge.max_file_bytes.",
            ) from error

    async def body(self, struct: type[BodyT]) -> BodyT:
        """From JSON, whatever the content type says; unknown fields are passed over, as Dify does."""
        most = max(self.front.services.settings.max_body_bytes, _ESCAPED * self.knowledge.max_file_bytes)
        raw = await self.raw(most)
        if b"\\u0000" in raw:
            _without_nul(msgspec.json.encode(_decoder(struct).decode_known(raw)).decode(), "The body", "\\u0000")
        return _decoder(struct).decode_known(raw)

    def _whole(self, name: str, default: int) -> int:
        text = self.asked(name)
        if not text:
            return default
        if not (text.isascii() and text.isdigit() and int(text[:9]) > 0):
            raise InvalidParameter(f"{name} is a whole number from 1.", param=name)
        return int(text[:9])


Handler = Callable[[KnowledgeCall], Awaitable[Response]]


def knowledge_endpoint(front: Front, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """A route of the framework: the key is looked at first, then whether there is a knowledge base."""

    async def answer(request: Request) -> Response:
        record = record_of(request)
        try:
            caller = dataset_caller(Headers(request.scope["headers"]), front.services.authenticator)
            record.tenant, record.key_id = caller.tenant, caller.key_id
            if front.knowledge is None:
                raise DifyRefusal(
                    403,
                    "forbidden",
                    "Knowledge bases are switched off here; set knowledge.enabled = true to serve them.",
                )
            return await handler(KnowledgeCall(request, front, front.knowledge, caller))
        except DifyRefusal as refusal:
            record.error = refusal.code
            return refusal.response()
        except RecursionError:
            return _refused(InvalidParameter("A value in the body is nested too deeply."), record)
        except SeekwayError as error:
            return _refused(error, record)

    answer.__name__ = handler.__name__
    answer.__doc__ = handler.__doc__
    return answer


def _refused(error: SeekwayError, record: RequestRecord) -> Response:
    record.error = error.code
    return error_response(error, DIFY_ERRORS, record.request_id)


class Result(msgspec.Struct, frozen=True):
    result: str = "success"


class Page(msgspec.Struct, frozen=True):
    data: Sequence[object]
    has_more: bool
    limit: int
    total: int
    page: int


def page_of(data: Sequence[object], total: int, page: int, limit: int) -> Page:
    return Page(data, page * limit < total, limit, total, page)


def reply(value: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json")


def done() -> Response:
    """What Dify answers to what has no answer."""
    return Response(status_code=204)


def seconds(moment_ms: int) -> int:
    return moment_ms // 1000


def seconds_or_none(moment_ms: int | None) -> int | None:
    return None if moment_ms is None else moment_ms // 1000


def _without_nul(text: str, name: str, nul: str = "\x00") -> str:
    """PostgreSQL keeps none."""
    if nul in text:
        raise InvalidParameter(f"{name} holds a NUL character; leave it out.", param=name)
    return text


@lru_cache(maxsize=64)
def _decoder(struct: type[BodyT]) -> BodyDecoder[BodyT]:
    return BodyDecoder(struct)
