"""Anthropic's error envelope: ``{"type": "error", "error": {"type", "message"}, "request_id"}`` (platform.claude.com "Errors").

Our stable code stands where Anthropic's own finer codes do and its clients look for them, in ``error.details.error_code``;
``param`` beside it is the place of what is wrong.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from seekway.core.errors import Overloaded, SeekwayError
from seekway.gateway.dialects.openai_errors import error_headers

WireErrorType = Literal[
    "invalid_request_error",
    "authentication_error",
    "billing_error",
    "permission_error",
    "not_found_error",
    "request_too_large",
    "rate_limit_error",
    "timeout_error",
    "api_error",
    "overloaded_error",
]

_TYPES: dict[int, WireErrorType] = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}


class WireDetails(msgspec.Struct, frozen=True):
    error_code: str
    param: str | None


class WireError(msgspec.Struct, frozen=True):
    type: WireErrorType
    message: str
    details: WireDetails


class AnthropicErrorEnvelope(msgspec.Struct, frozen=True):
    error: WireError
    request_id: str
    type: Literal["error"] = "error"


def anthropic_status(error: SeekwayError) -> int:
    """This dialect's HTTP status: it knows no 422, and 529 is its word for an overload."""
    if isinstance(error, Overloaded):
        return 529
    return 400 if error.status == 422 else error.status


def anthropic_type(error: SeekwayError) -> WireErrorType:
    status = anthropic_status(error)
    return _TYPES.get(status, "api_error" if status >= 500 else "invalid_request_error")


def encode_anthropic_error(error: SeekwayError, request_id: str) -> bytes:
    details = WireDetails(error.code, error.param)
    return msgspec.json.encode(
        AnthropicErrorEnvelope(WireError(anthropic_type(error), error.message, details), request_id)
    )


class AnthropicErrors:
    """See :class:`seekway.gateway.encoder.ErrorForm`."""

    def status(self, error: SeekwayError) -> int:
        return anthropic_status(error)

    def body(self, error: SeekwayError, request_id: str) -> bytes:
        return encode_anthropic_error(error, request_id)

    def headers(self, error: SeekwayError) -> dict[str, str]:
        return error_headers(error)


ANTHROPIC_ERRORS = AnthropicErrors()
