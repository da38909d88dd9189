"""Every error crosses gRPC as itself; a bare status means what gRPC says."""

from __future__ import annotations

import pytest
from grpc import StatusCode

from seekway.core.errors import (
    ERRORS,
    BackendProtocolError,
    BackendUnavailable,
    BodyTooLarge,
    Cancelled,
    DeadlineExceeded,
    InvalidParameter,
    Overloaded,
    SeekwayError,
)
from seekway.model_service.status import STATUS, details_of, error_of, metadata_of, status_of

KINDS = sorted(ERRORS.values(), key=lambda kind: kind.code)


def test_every_error_has_a_status() -> None:
    assert set(STATUS) == set(ERRORS.values())
    assert StatusCode.OK not in STATUS.values()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.code)
def test_every_error_comes_back_as_itself(kind: type[SeekwayError]) -> None:
    sent = kind("Say 模型 again.", param="messages[0].内容", retry_after_s=1.5)
    received = error_of(status_of(sent), details_of(sent), metadata_of(sent))
    assert type(received) is kind
    assert (received.message, received.param, received.retry_after_s) == (sent.message, sent.param, sent.retry_after_s)
    assert all(value.isascii() for _, value in metadata_of(sent))


def test_what_is_not_said_is_not_sent() -> None:
    assert metadata_of(Overloaded("busy")) == (("seekway-code", "overloaded"),)


def test_long_messages_and_hostile_parameters_fit_into_the_header_block() -> None:
    error = InvalidParameter("模" * 10_000, param="\r\n\ud800" * 1000)
    assert len(details_of(error).encode()) * 3 + sum(len(value) for _, value in metadata_of(error)) < 16_000


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (StatusCode.UNAVAILABLE, BackendUnavailable),
        (StatusCode.DEADLINE_EXCEEDED, DeadlineExceeded),
        (StatusCode.CANCELLED, Cancelled),
        (StatusCode.RESOURCE_EXHAUSTED, Overloaded),
        (StatusCode.UNIMPLEMENTED, BackendProtocolError),
        (StatusCode.UNKNOWN, BackendProtocolError),
    ],
)
def test_a_bare_status_is_read_as_grpc_means_it(status: StatusCode, kind: type[SeekwayError]) -> None:
    assert type(error_of(status, "", ())) is kind


@pytest.mark.parametrize("status", [status for status in StatusCode if status is not StatusCode.OK])
def test_no_status_is_without_an_error(status: StatusCode) -> None:
    assert isinstance(error_of(status, "details", (("other", b"x"),)), SeekwayError)


def test_grpcs_own_size_bound_is_recognised() -> None:
    details = "SERVER: Received message larger than max (100 vs. 50)"
    assert type(error_of(StatusCode.RESOURCE_EXHAUSTED, details, ())) is BodyTooLarge


def test_a_retry_time_that_is_no_number_is_left_out() -> None:
    pairs = (("seekway-code", "overloaded"), ("seekway-retry-after", "soon"))
    assert error_of(StatusCode.RESOURCE_EXHAUSTED, "busy", pairs).retry_after_s is None
