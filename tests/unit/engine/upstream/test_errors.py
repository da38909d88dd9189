"""A backend's refusal becomes an error that our client can act on, and never tells the key."""

from __future__ import annotations

import datetime
import json

import pytest

from seekway.core.errors import (
    BackendProtocolError,
    BackendUnavailable,
    BodyTooLarge,
    ContextLengthExceeded,
    DeadlineExceeded,
    InsufficientBalance,
    InvalidParameter,
    InvalidRequest,
    ModelNotFound,
    Overloaded,
    RateLimited,
    SeekwayError,
    StreamInterrupted,
)
from seekway.engine.upstream.errors import Refusals, parse_retry_after

KEY = "sk-0123456789abcdef"
REFUSALS = Refusals("cloud", KEY)


def envelope(message: str, **members: object) -> bytes:
    return json.dumps({"error": {"message": message, **members}}).encode()


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (400, envelope("bad temperature", param="temperature"), InvalidRequest),
        (400, envelope("too long", code="context_length_exceeded"), ContextLengthExceeded),
        (400, envelope("This model's maximum context length is 4096 tokens", code=400), ContextLengthExceeded),
        (400, b'{"object":"error","message":"flat","code":400}', InvalidRequest),
        (400, b'{"error":"a plain text"}', InvalidRequest),
        (401, envelope("no such key"), BackendUnavailable),
        (403, envelope("forbidden"), BackendUnavailable),
        (402, envelope("Insufficient Balance"), InsufficientBalance),
        (404, envelope("The model `x` does not exist", code="model_not_found"), ModelNotFound),
        (404, b'{"detail":"Not Found"}', BackendProtocolError),
        (404, b"<html>nginx</html>", BackendProtocolError),
        (408, b"", DeadlineExceeded),
        (413, envelope("big"), BodyTooLarge),
        (422, b'{"detail":[{"loc":["body","top_p"],"msg":"too big"}]}', InvalidParameter),
        (429, b"", RateLimited),
        (500, b"<html>oops</html>", BackendUnavailable),
        (502, b"", BackendUnavailable),
        (503, b"", Overloaded),
        (504, b"", DeadlineExceeded),
        (302, b"", BackendProtocolError),
        (400, b"", BackendProtocolError),
        (418, envelope("teapot"), InvalidRequest),
    ],
)
def test_each_status_has_its_error(status: int, body: bytes, error: type[SeekwayError]) -> None:
    refusal = REFUSALS.from_answer(status, body, None)
    assert type(refusal) is error
    assert "html" not in refusal.message
    assert refusal.message.endswith(".")


def test_a_bad_parameter_keeps_its_name_and_the_backends_words() -> None:
    refusal = REFUSALS.from_answer(422, envelope("top_p must be at most 1", param="top_p"), None)
    assert (refusal.param, refusal.message) == ("top_p", "top_p must be at most 1.")


@pytest.mark.parametrize("status", [400, 401, 404, 422, 429, 500])
def test_a_key_that_the_backend_echoes_goes_no_further(status: int) -> None:
    body = envelope(f"model: the key {KEY} is wrong", param=KEY)
    refusal = REFUSALS.from_answer(status, body, None)
    assert KEY not in f"{refusal!r} {refusal} {refusal.message} {refusal.param}"


def test_a_long_message_is_cut_after_the_key_is_out() -> None:
    refusal = REFUSALS.from_answer(400, envelope("x" * 490 + KEY + "y" * 5000), None)
    assert KEY[:8] not in refusal.message
    assert len(refusal.message) < 600


def test_an_error_inside_a_stream_keeps_its_status_if_it_has_one() -> None:
    assert type(REFUSALS.from_stream(b'{"message":"bad","code":400}')) is InvalidRequest
    assert type(REFUSALS.from_stream(b'{"message":"cuda","code":500}')) is BackendUnavailable
    assert type(REFUSALS.from_stream(b'{"message":"gone"}')) is StreamInterrupted
    assert type(REFUSALS.from_stream(b'"a text"')) is StreamInterrupted
    assert type(REFUSALS.from_stream(b"[1]")) is StreamInterrupted


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("3", 3.0),
        (" 0.5 ", 0.5),
        ("-4", 0.0),
        ("Sun, 22 Nov 2026 12:00:30 GMT", 30.0),
        ("Sun, 22 Nov 2026 11:00:00 GMT", 0.0),
        ("1e99", 86400.0),
        ("inf", None),
        ("nan", None),
        ("soon", None),
        (None, None),
    ],
)
def test_retry_after_is_read_as_seconds_or_date(value: str | None, seconds: float | None) -> None:
    now = datetime.datetime(2026, 11, 22, 12, 0, 0, tzinfo=datetime.UTC)
    assert parse_retry_after(value, now) == seconds


def test_retry_after_is_passed_on() -> None:
    assert REFUSALS.from_answer(429, b"", "12").retry_after_s == 12.0
    assert REFUSALS.from_answer(503, b"", "12").retry_after_s == 12.0
