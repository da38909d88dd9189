"""Dify's error envelope: ``{"code", "message", "status"}`` (docs.dify.ai, "API Access", errors)."""

from __future__ import annotations

from typing import Final

import msgspec
from starlette.responses import Response

from seekway.core.errors import (
    AlreadyExists,
    AuthenticationFailed,
    BodyTooLarge,
    DocumentUnreadable,
    InternalError,
    InvalidParameter,
    InvalidRequest,
    MalformedBody,
    ModelNotFound,
    NotFound,
    PermissionDenied,
    RateLimited,
    SeekwayError,
)
from seekway.gateway.dialects.openai_errors import error_headers

KNOWLEDGE_PATHS: Final = ("/v1/datasets", "/v1/workspaces/")
"""What only Dify's clients ask for, so that also a path that is not there answers in their form."""

_WAYS: Final[dict[type[SeekwayError], tuple[int, str]]] = {
    MalformedBody: (400, "invalid_param"),
    InvalidRequest: (400, "bad_request"),
    InvalidParameter: (400, "invalid_param"),
    DocumentUnreadable: (400, "invalid_param"),
    AuthenticationFailed: (401, "unauthorized"),
    PermissionDenied: (403, "forbidden"),
    NotFound: (404, "not_found"),
    ModelNotFound: (400, "model_currently_not_support"),
    AlreadyExists: (409, "already_exists"),
    BodyTooLarge: (413, "file_too_large"),
    RateLimited: (429, "too_many_requests"),
    InternalError: (500, "internal_server_error"),
}


class DifyErrorEnvelope(msgspec.Struct, frozen=True):
    code: str
    message: str
    status: int


class DifyRefusal(Exception):
    """A refusal that only Dify's API has a code for; ends at the route's edge."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message

    def response(self) -> Response:
        headers = {"connection": "close"} if self.status == 413 else None
        return Response(_envelope(self.code, self.message, self.status), self.status, headers, "application/json")


class DifyErrors:
    """See :class:`seekway.gateway.encoder.ErrorForm`. What Dify has no word for keeps its own status and code."""

    def status(self, error: SeekwayError) -> int:
        return _way(error)[0]

    def body(self, error: SeekwayError, request_id: str) -> bytes:
        status, code = _way(error)
        return _envelope(code, error.message, status)

    def headers(self, error: SeekwayError) -> dict[str, str]:
        headers = error_headers(error)
        if isinstance(error, AuthenticationFailed):
            headers["www-authenticate"] = 'Bearer realm="api"'
        return headers


def _way(error: SeekwayError) -> tuple[int, str]:
    return _WAYS.get(type(error), (error.status, error.code))


def _envelope(code: str, message: str, status: int) -> bytes:
    return msgspec.json.encode(DifyErrorEnvelope(code, message, status))


DIFY_ERRORS: Final = DifyErrors()
