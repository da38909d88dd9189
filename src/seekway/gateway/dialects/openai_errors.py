"""The error envelope of OpenAI's and DeepSeek's HTTP APIs: ``{"error": {"message", "type", "param", "code"}}``."""

from __future__ import annotations

import math

import msgspec

from seekway.core.errors import AuthenticationFailed, BodyTooLarge, SeekwayError


class ErrorObject(msgspec.Struct, frozen=True):
    message: str
    type: str
    param: str | None
    code: str


class ErrorEnvelope(msgspec.Struct, frozen=True):
    error: ErrorObject


def encode_error(error: SeekwayError) -> bytes:
    return msgspec.json.encode(ErrorEnvelope(ErrorObject(error.message, error.type, error.param, error.code)))


def error_headers(error: SeekwayError) -> dict[str, str]:
    """Headers that belong to ``error``: when to try again, how to authenticate, and that a body half read ends the connection."""
    headers: dict[str, str] = {}
    if error.status in (429, 503):
        headers["retry-after"] = str(max(1, math.ceil(error.retry_after_s or 1)))
    if isinstance(error, AuthenticationFailed):
        headers["www-authenticate"] = "Bearer"
    if isinstance(error, BodyTooLarge):
        headers["connection"] = "close"
    return headers


class OpenAIErrors:
    """See :class:`seekway.gateway.encoder.ErrorForm`; the envelope has no place for the request's id, the ``x-request-id`` header has."""

    def status(self, error: SeekwayError) -> int:
        return error.status

    def body(self, error: SeekwayError, request_id: str) -> bytes:
        return encode_error(error)

    def headers(self, error: SeekwayError) -> dict[str, str]:
        return error_headers(error)


OPENAI_ERRORS = OpenAIErrors()
