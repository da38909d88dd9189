"""What Dify calls the failures of its app endpoints (docs.dify.ai, "API Access", errors of each endpoint)."""

from __future__ import annotations

from typing import Final

import msgspec

from seekway.core.errors import (
    AlreadyExists,
    AuthenticationFailed,
    BackendProtocolError,
    BackendUnavailable,
    BodyTooLarge,
    ContextLengthExceeded,
    DocumentUnreadable,
    EngineCrashed,
    InsufficientBalance,
    InternalError,
    InvalidParameter,
    InvalidRequest,
    MalformedBody,
    ModelNotFound,
    NotFound,
    PermissionDenied,
    RateLimited,
    SeekwayError,
    StreamInterrupted,
    ToolFailed,
    UnsupportedParameter,
)
from seekway.gateway.dify.errors import DifyErrorEnvelope, DifyErrors, DifyRefusal

_INVALID: Final = (400, "invalid_param")
_ANSWER_FAILED: Final = (400, "completion_request_error")
_WAYS: Final[dict[type[SeekwayError], tuple[int, str]]] = {
    MalformedBody: _INVALID,
    InvalidRequest: _INVALID,
    InvalidParameter: _INVALID,
    UnsupportedParameter: _INVALID,
    DocumentUnreadable: _INVALID,
    AlreadyExists: _INVALID,
    AuthenticationFailed: (401, "unauthorized"),
    PermissionDenied: (403, "forbidden"),
    NotFound: (404, "not_found"),
    BodyTooLarge: (413, "file_too_large"),
    RateLimited: (429, "rate_limit_error"),
    InternalError: (500, "internal_server_error"),
    # What a model's call may fail with.
    ModelNotFound: (400, "model_currently_not_support"),
    InsufficientBalance: (400, "provider_quota_exceeded"),
    ContextLengthExceeded: _ANSWER_FAILED,
    BackendProtocolError: _ANSWER_FAILED,
    BackendUnavailable: _ANSWER_FAILED,
    EngineCrashed: _ANSWER_FAILED,
    StreamInterrupted: _ANSWER_FAILED,
    ToolFailed: _ANSWER_FAILED,
}
_APP_PATHS: Final = (
    "/v1/chat-messages",
    "/v1/completion-messages",
    "/v1/workflows/",
    "/v1/workflow/",
    "/v1/form/",
    "/v1/conversations",
    "/v1/end-users/",
    "/v1/files/",
    "/v1/audio-to-text",
    "/v1/text-to-audio",
    "/v1/info",
    "/v1/parameters",
    "/v1/meta",
    "/v1/site",
    "/v1/app/",
    "/v1/apps/",
)


def is_app_path(path: str) -> bool:
    """Whether only clients of Dify's ask for it; ``/v1/messages`` itself is also Anthropic's."""
    return path.startswith(_APP_PATHS) or (
        path.startswith("/v1/messages/") and path.endswith(("/suggested", "/feedbacks"))
    )


class AppErrors(DifyErrors):
    """See :class:`seekway.gateway.encoder.ErrorForm`. What Dify has no word for keeps its own status and code."""

    def status(self, error: SeekwayError) -> int:
        return way(error)[0]

    def body(self, error: SeekwayError, request_id: str) -> bytes:
        status, code = way(error)
        return msgspec.json.encode(DifyErrorEnvelope(code, error.message, status))


def way(error: SeekwayError) -> tuple[int, str]:
    """Status and code."""
    return _WAYS.get(type(error), (error.status, error.code))


def way_of_answer(error: SeekwayError) -> tuple[int, str]:
    """Of an answer that had begun: its question was found to be good, so that whatever is invalid is between the application and its model."""
    found = way(error)
    return _ANSWER_FAILED if found == _INVALID else found


APP_ERRORS: Final = AppErrors()


def app_unavailable() -> DifyRefusal:
    return DifyRefusal(400, "app_unavailable", "App unavailable, please check your app configurations.")


def not_chat_app() -> DifyRefusal:
    return DifyRefusal(400, "not_chat_app", "Please check if your app mode matches the right API route.")


def not_workflow_app() -> DifyRefusal:
    return DifyRefusal(400, "not_workflow_app", "Please check if your app mode matches the right API route.")
