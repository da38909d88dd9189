"""One error tree; every failure a client can see is one of these.

::

    SeekwayError
    ├── RequestError                      the client can mend it
    │   ├── MalformedBody           400   invalid_json
    │   ├── InvalidRequest          400   invalid_request_error
    │   ├── UnsupportedParameter    400   unsupported_parameter
    │   ├── ContextLengthExceeded   400   context_length_exceeded
    │   ├── ContentFiltered         400   content_filter
    │   ├── DocumentUnreadable      400   document_unreadable
    │   ├── AppUnavailable          400   app_unavailable
    │   ├── AuthenticationFailed    401   invalid_api_key
    │   ├── InsufficientBalance     402   insufficient_balance
    │   ├── PermissionDenied        403   permission_denied
    │   ├── NotFound                404   not_found
    │   ├── ModelNotFound           404   model_not_found
    │   ├── MethodNotAllowed        405   method_not_allowed
    │   ├── RequestTimeout          408   request_timeout
    │   ├── AlreadyExists           409   already_exists
    │   ├── BodyTooLarge            413   body_too_large
    │   ├── InvalidParameter        422   invalid_parameter
    │   ├── RateLimited             429   rate_limit_exceeded
    │   ├── Cancelled               499   cancelled
    │   └── NotCached               504   not_cached
    ├── ServerError                       ours to mend
    │   ├── InternalError           500   internal_error
    │   ├── EngineCrashed           500   engine_crashed
    │   ├── BackendProtocolError    502   bad_backend_answer
    │   ├── StreamInterrupted       502   stream_interrupted
    │   ├── ToolFailed              502   tool_failed
    │   ├── BackendUnavailable      503   backend_unavailable
    │   ├── Overloaded              503   overloaded
    │   ├── InsufficientMemory      503   insufficient_memory
    │   ├── ReviewUnavailable       503   review_unavailable
    │   ├── StorageUnavailable      503   storage_unavailable
    │   └── DeadlineExceeded        504   deadline_exceeded
    └── OperatorError                     the operator can mend it; never sent to a client
        ├── ConfigError                   config_error
        ├── ModelFileError                model_file_error
        ├── DownloadError                 download_failed
        ├── StorageFailed                 storage_failed
        └── StartupError                  startup_failed

``status`` is the HTTP status, ``type`` and ``code`` are what the OpenAI-style envelope carries, and ``code`` is stable:
clients may branch on it, and it is what crosses gRPC and the worker's pipe.
DeepSeek's documented statuses are in its API reference under "Error Codes" (400, 401, 402, 422, 429, 500, 503).
"""

from __future__ import annotations

from typing import ClassVar


class SeekwayError(Exception):
    """Base of all errors; ``message`` is one plain sentence that says what to do."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    type: ClassVar[str] = "server_error"

    def __init__(self, message: str, *, param: str | None = None, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.retry_after_s = retry_after_s


class RequestError(SeekwayError):
    status = 400
    code = "invalid_request_error"
    type = "invalid_request_error"


class MalformedBody(RequestError):
    code = "invalid_json"


class InvalidRequest(RequestError):
    code = "invalid_request_error"


class UnsupportedParameter(RequestError):
    code = "unsupported_parameter"


class ContextLengthExceeded(RequestError):
    code = "context_length_exceeded"


class ContentFiltered(RequestError):
    """A policy does not let the text through; the message never repeats it."""

    code = "content_filter"


class DocumentUnreadable(RequestError):
    """A file that is broken, locked, too big or of no known kind; the message says which file, where in it, and what to do."""

    code = "document_unreadable"


class AppUnavailable(RequestError):
    """An application cannot answer as it is set up; its operator must mend it, and the message says what is missing. The code is Dify's."""

    code = "app_unavailable"


class AuthenticationFailed(RequestError):
    status = 401
    code = "invalid_api_key"
    type = "authentication_error"


class InsufficientBalance(RequestError):
    status = 402
    code = "insufficient_balance"
    type = "insufficient_balance_error"


class PermissionDenied(RequestError):
    status = 403
    code = "permission_denied"
    type = "permission_error"


class NotFound(RequestError):
    status = 404
    code = "not_found"


class ModelNotFound(RequestError):
    status = 404
    code = "model_not_found"


class MethodNotAllowed(RequestError):
    status = 405
    code = "method_not_allowed"


class RequestTimeout(RequestError):
    status = 408
    code = "request_timeout"


class AlreadyExists(RequestError):
    """A name or key that may stand only once is taken."""

    status = 409
    code = "already_exists"


class BodyTooLarge(RequestError):
    status = 413
    code = "body_too_large"


class InvalidParameter(RequestError):
    status = 422
    code = "invalid_parameter"


class RateLimited(RequestError):
    status = 429
    code = "rate_limit_exceeded"
    type = "rate_limit_error"


class Cancelled(RequestError):
    """The caller went away; 499 is nginx's word for it and is logged, never read."""

    status = 499
    code = "cancelled"


class NotCached(RequestError):
    """The client wants an answer only if one is kept; the status is RFC 9111's (section 5.2.1.7)."""

    status = 504
    code = "not_cached"


class ServerError(SeekwayError):
    pass


class InternalError(ServerError):
    pass


def unforeseen(cause: BaseException) -> InternalError:
    """What a client hears of an exception that is nobody's refusal; the cause hangs on it for the log."""
    error = InternalError("Something went wrong here; the log has the details under this request's id.")
    error.__cause__ = cause
    return error


class EngineCrashed(ServerError):
    code = "engine_crashed"


class BackendProtocolError(ServerError):
    status = 502
    code = "bad_backend_answer"


class StreamInterrupted(ServerError):
    status = 502
    code = "stream_interrupted"


class ToolFailed(ServerError):
    """A tool that an agent calls could not do what it was asked; the model reads why and goes on, where it can."""

    status = 502
    code = "tool_failed"


class BackendUnavailable(ServerError):
    status = 503
    code = "backend_unavailable"


class Overloaded(ServerError):
    status = 503
    code = "overloaded"


class InsufficientMemory(ServerError):
    status = 503
    code = "insufficient_memory"


class ReviewUnavailable(ServerError):
    """A detector failed or found no time, and the policy lets nothing through unseen."""

    status = 503
    code = "review_unavailable"


class DeadlineExceeded(ServerError):
    status = 504
    code = "deadline_exceeded"


class OperatorError(SeekwayError):
    type = "operator_error"


class ConfigError(OperatorError):
    code = "config_error"


class ModelFileError(OperatorError):
    code = "model_file_error"


class DownloadError(OperatorError):
    code = "download_failed"


class StorageUnavailable(ServerError):
    """The database did not do what was asked of it: nothing of that is kept, and it may be asked again."""

    status = 503
    code = "storage_unavailable"


class StorageFailed(OperatorError):
    """What is kept on disk cannot be read or written now; the work goes on without it."""

    code = "storage_failed"


class StartupError(OperatorError):
    code = "startup_failed"


def _concrete(root: type[SeekwayError]) -> dict[str, type[SeekwayError]]:
    found: dict[str, type[SeekwayError]] = {}
    pending: list[type[SeekwayError]] = [root]
    while pending:
        error = pending.pop()
        subclasses = error.__subclasses__()
        if not subclasses:
            found[error.code] = error
        pending.extend(subclasses)
    return found


ERRORS: dict[str, type[SeekwayError]] = _concrete(SeekwayError)
"""Every concrete error by its stable code."""


def error_from_code(code: str, message: str, *, param: str | None = None) -> SeekwayError:
    """Make the error that ``code`` names; an unknown code becomes :class:`InternalError`."""
    return ERRORS.get(code, InternalError)(message, param=param)
