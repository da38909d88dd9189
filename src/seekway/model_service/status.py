"""Seekway's errors as gRPC statuses, and back.

The status tells any gRPC client what it can do; trailing metadata carries what a status cannot:
``seekway-code``, ``seekway-param`` (percent-encoded UTF-8) and ``seekway-retry-after`` (seconds).
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote, unquote

from grpc import StatusCode

from seekway.core import errors
from seekway.core.errors import ERRORS, SeekwayError

CODE = "seekway-code"
PARAM = "seekway-param"
RETRY_AFTER = "seekway-retry-after"
_MESSAGE_CHARACTERS = 1000
_PARAM_CHARACTERS = 200

STATUS: dict[type[SeekwayError], StatusCode] = {
    errors.MalformedBody: StatusCode.INVALID_ARGUMENT,
    errors.InvalidRequest: StatusCode.INVALID_ARGUMENT,
    errors.UnsupportedParameter: StatusCode.INVALID_ARGUMENT,
    errors.ContextLengthExceeded: StatusCode.INVALID_ARGUMENT,
    errors.InvalidParameter: StatusCode.INVALID_ARGUMENT,
    errors.DocumentUnreadable: StatusCode.INVALID_ARGUMENT,
    errors.AppUnavailable: StatusCode.FAILED_PRECONDITION,
    errors.AuthenticationFailed: StatusCode.UNAUTHENTICATED,
    errors.InsufficientBalance: StatusCode.FAILED_PRECONDITION,
    errors.PermissionDenied: StatusCode.PERMISSION_DENIED,
    errors.NotFound: StatusCode.NOT_FOUND,
    errors.ModelNotFound: StatusCode.NOT_FOUND,
    errors.NotCached: StatusCode.NOT_FOUND,
    errors.MethodNotAllowed: StatusCode.UNIMPLEMENTED,
    errors.AlreadyExists: StatusCode.ALREADY_EXISTS,
    errors.ContentFiltered: StatusCode.FAILED_PRECONDITION,
    errors.RequestTimeout: StatusCode.DEADLINE_EXCEEDED,
    errors.BodyTooLarge: StatusCode.RESOURCE_EXHAUSTED,
    errors.RateLimited: StatusCode.RESOURCE_EXHAUSTED,
    errors.Cancelled: StatusCode.CANCELLED,
    errors.InternalError: StatusCode.INTERNAL,
    errors.EngineCrashed: StatusCode.ABORTED,
    errors.BackendProtocolError: StatusCode.INTERNAL,
    errors.StreamInterrupted: StatusCode.ABORTED,
    errors.ToolFailed: StatusCode.UNAVAILABLE,
    errors.BackendUnavailable: StatusCode.UNAVAILABLE,
    errors.StorageUnavailable: StatusCode.UNAVAILABLE,
    errors.ReviewUnavailable: StatusCode.UNAVAILABLE,
    errors.Overloaded: StatusCode.RESOURCE_EXHAUSTED,
    errors.InsufficientMemory: StatusCode.RESOURCE_EXHAUSTED,
    errors.DeadlineExceeded: StatusCode.DEADLINE_EXCEEDED,
    errors.ConfigError: StatusCode.FAILED_PRECONDITION,
    errors.ModelFileError: StatusCode.FAILED_PRECONDITION,
    errors.DownloadError: StatusCode.FAILED_PRECONDITION,
    errors.StorageFailed: StatusCode.FAILED_PRECONDITION,
    errors.StartupError: StatusCode.FAILED_PRECONDITION,
}
"""The status each error is sent with. ``ABORTED`` asks the caller to begin again, ``UNAVAILABLE`` and ``RESOURCE_EXHAUSTED`` to come back."""

_BARE: dict[StatusCode, type[SeekwayError]] = {
    StatusCode.CANCELLED: errors.Cancelled,
    StatusCode.INVALID_ARGUMENT: errors.InvalidRequest,
    StatusCode.OUT_OF_RANGE: errors.InvalidRequest,
    StatusCode.DEADLINE_EXCEEDED: errors.DeadlineExceeded,
    StatusCode.NOT_FOUND: errors.NotFound,
    StatusCode.UNAUTHENTICATED: errors.AuthenticationFailed,
    StatusCode.PERMISSION_DENIED: errors.PermissionDenied,
    StatusCode.RESOURCE_EXHAUSTED: errors.Overloaded,
    StatusCode.UNAVAILABLE: errors.BackendUnavailable,
}
"""What a status without our metadata means: gRPC itself said it, or a proxy between."""


def status_of(error: SeekwayError) -> StatusCode:
    return STATUS.get(type(error), StatusCode.INTERNAL)


def details_of(error: SeekwayError) -> str:
    """The message, cut to what fits into the header block, where every byte may take three."""
    return error.message[:_MESSAGE_CHARACTERS]


def metadata_of(error: SeekwayError) -> tuple[tuple[str, str], ...]:
    pairs = [(CODE, error.code)]
    if error.param is not None:
        pairs.append((PARAM, quote(error.param[:_PARAM_CHARACTERS], errors="replace")))
    if error.retry_after_s is not None:
        pairs.append((RETRY_AFTER, f"{error.retry_after_s:g}"))
    return tuple(pairs)


def error_of(status: StatusCode, details: str, metadata: Iterable[tuple[str, str | bytes]]) -> SeekwayError:
    """The error a call ended in; ``metadata`` are its trailing pairs."""
    given = {key: value if isinstance(value, str) else value.decode("latin-1") for key, value in metadata}
    kind = ERRORS.get(given.get(CODE, ""))
    if kind is None:
        return _bare_error(status, details)
    param = given.get(PARAM)
    return kind(
        details, param=None if param is None else unquote(param), retry_after_s=_seconds(given.get(RETRY_AFTER))
    )


def _bare_error(status: StatusCode, details: str) -> SeekwayError:
    if status is StatusCode.RESOURCE_EXHAUSTED and "larger than max" in details:
        return errors.BodyTooLarge(
            f"The message is larger than the model service takes ({details}); send less at once."
        )
    match status:
        case StatusCode.UNAVAILABLE:
            return errors.BackendUnavailable(
                "The model service cannot be reached; try again shortly.", retry_after_s=1.0
            )
        case StatusCode.DEADLINE_EXCEEDED:
            return errors.DeadlineExceeded(
                "The answer was not finished within the request's deadline; allow more time."
            )
        case StatusCode.CANCELLED:
            return errors.Cancelled("The call was cancelled.")
        case _:
            kind = _BARE.get(status, errors.BackendProtocolError)
            return kind(f"The model service answered {status.name}: {details or 'no details'}.")


def _seconds(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None
