"""Every error has its place among Anthropic's types and keeps our stable code."""

from __future__ import annotations

from typing import get_args

import msgspec
import pytest

from seekway.core.errors import ERRORS, SeekwayError
from seekway.gateway.dialects.anthropic_errors import (
    AnthropicErrorEnvelope,
    WireErrorType,
    anthropic_status,
    anthropic_type,
    encode_anthropic_error,
)

WANTED = {
    "invalid_json": (400, "invalid_request_error"),
    "invalid_request_error": (400, "invalid_request_error"),
    "unsupported_parameter": (400, "invalid_request_error"),
    "context_length_exceeded": (400, "invalid_request_error"),
    "invalid_api_key": (401, "authentication_error"),
    "insufficient_balance": (402, "billing_error"),
    "not_found": (404, "not_found_error"),
    "model_not_found": (404, "not_found_error"),
    "method_not_allowed": (405, "invalid_request_error"),
    "request_timeout": (408, "timeout_error"),
    "body_too_large": (413, "request_too_large"),
    "invalid_parameter": (400, "invalid_request_error"),
    "rate_limit_exceeded": (429, "rate_limit_error"),
    "cancelled": (499, "invalid_request_error"),
    "internal_error": (500, "api_error"),
    "engine_crashed": (500, "api_error"),
    "bad_backend_answer": (502, "api_error"),
    "stream_interrupted": (502, "api_error"),
    "backend_unavailable": (503, "api_error"),
    "overloaded": (529, "overloaded_error"),
    "insufficient_memory": (503, "api_error"),
    "deadline_exceeded": (504, "timeout_error"),
}


@pytest.mark.parametrize("code", sorted(WANTED))
def test_each_error_has_its_status_and_type(code: str) -> None:
    error = ERRORS[code]("Say what to do.", param="a.b")
    assert (anthropic_status(error), anthropic_type(error)) == WANTED[code]
    envelope = msgspec.json.decode(encode_anthropic_error(error, "req-1"), type=AnthropicErrorEnvelope)
    assert (envelope.type, envelope.request_id) == ("error", "req-1")
    assert (envelope.error.message, envelope.error.type) == ("Say what to do.", WANTED[code][1])
    assert (envelope.error.details.error_code, envelope.error.details.param) == (code, "a.b")


@pytest.mark.parametrize("kind", ERRORS.values(), ids=ERRORS)
def test_no_error_is_without_a_type_of_the_dialect(kind: type[SeekwayError]) -> None:
    error = kind("Say what to do.")
    assert anthropic_type(error) in get_args(WireErrorType)
    assert 400 <= anthropic_status(error) < 600
