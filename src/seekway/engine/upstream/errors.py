"""What a backend refused, as the error that our client is to see.

Our client did not choose the backend's key and cannot mend it: 401 and 403 become 503 and say whose task it is.
Nothing that the backend wrote is passed on without the key taken out and its length bounded, and no HTML ever is.
"""

from __future__ import annotations

import datetime
import email.utils
from typing import Any

import msgspec
from structlog.typing import FilteringBoundLogger

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
from seekway.core.sections.log import LogSettings
from seekway.observability.logging import make_logger

_MAX_MESSAGE = 500
_MAX_RETRY_AFTER_S = 86_400.0


class WireError(msgspec.Struct, frozen=True):
    """``code`` is a word with OpenAI and DeepSeek, the HTTP status with vLLM and SGLang."""

    message: str | None = None
    param: Any = None
    code: str | int | None = None
    type: str | None = None


class _Envelope(msgspec.Struct, frozen=True):
    """The shapes in use: an ``error`` object or text, vLLM's older flat form, FastAPI's ``detail``."""

    error: WireError | str | None = None
    message: str | None = None
    detail: Any = None
    param: Any = None
    code: str | int | None = None
    type: str | None = None


class Refusals:
    """Turns the answers of one backend into errors; knows the key only to take it out.

    ``log`` is told of what is odd about an answer and no error.
    """

    def __init__(self, backend: str, api_key: str | None, log: FilteringBoundLogger | None = None) -> None:
        self.backend = backend
        self.log = log or make_logger(LogSettings())
        self._secret = api_key

    def from_answer(self, status: int, body: bytes, retry_after: str | None) -> SeekwayError:
        """The error for an answer with a status other than 200; ``body`` may be empty, HTML or cut off."""
        error = read_envelope(body)
        retry_after_s = parse_retry_after(retry_after)
        name = self.backend
        if status in (401, 403):
            return BackendUnavailable(
                f"The backend {name} refused Seekway's own API key ({status}); its operator must set a valid one."
            )
        if status == 402:
            return InsufficientBalance(
                f"Seekway's account at the backend {name} has no balance left; its operator must top it up."
            )
        if status == 429:
            said = self._said(error, "wait and try again")
            return RateLimited(f"The backend {name} limits the rate: {said}.", retry_after_s=retry_after_s)
        if status in (408, 504):
            return DeadlineExceeded(f"The backend {name} ran out of time ({status}); try again.")
        if status in (503, 529):
            return Overloaded(
                f"The backend {name} is overloaded ({status}); wait and try again.", retry_after_s=retry_after_s
            )
        if status >= 500:
            return BackendUnavailable(f"The backend {name} failed ({status}); try again.", retry_after_s=retry_after_s)
        return self._client_error(status, error)

    def from_stream(self, raw: bytes) -> SeekwayError:
        """The error for an ``error`` member that came in a stream already begun."""
        error = read_envelope(b'{"error":' + raw + b"}") or WireError()
        if isinstance(error.code, int) and 400 <= error.code <= 599:
            return self.from_answer(error.code, b'{"error":' + raw + b"}", None)
        said = self._said(error, "no reason given")
        return StreamInterrupted(f"The backend {self.backend} broke off its answer: {said}.")

    def _client_error(self, status: int, error: WireError | None) -> SeekwayError:
        name = self.backend
        if error is None or not 400 <= status < 500:
            return BackendProtocolError(
                f"The backend {name} answered {status} with something other than an API error; check its base_url."
            )
        message = self._said(error, f"no reason given ({status})")
        param = self.redact(error.param) if isinstance(error.param, str) else None
        if status == 404:
            if "model" in message.lower() or error.code == "model_not_found":
                return ModelNotFound(f"The backend {name} does not have this model: {message}.", param="model")
            return BackendProtocolError(
                f"The backend {name} does not offer this endpoint: {message}; check its base_url."
            )
        if error.code == "context_length_exceeded" or "maximum context length" in message.lower():
            return ContextLengthExceeded(f"{message}.", param=param or "messages")
        if status == 413:
            return BodyTooLarge(f"The request is too large for the backend {name}: {message}.")
        if status == 422:
            return InvalidParameter(f"{message}.", param=param)
        return InvalidRequest(f"{message}.", param=param)

    def _said(self, error: WireError | None, otherwise: str) -> str:
        message = error.message.strip() if error is not None and error.message else ""
        message = self.redact(message)[:_MAX_MESSAGE].rstrip(". \n")
        return message or otherwise

    def redact(self, text: str) -> str:
        return text.replace(self._secret, "[key]") if self._secret else text


def read_envelope(body: bytes) -> WireError | None:
    """What the body says about the error; None when it is not a JSON object that says anything."""
    try:
        envelope = msgspec.json.decode(body, type=_Envelope)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    if isinstance(envelope.error, WireError):
        return envelope.error
    message = envelope.error or envelope.message
    if message is None and envelope.detail is not None:
        detail: object = envelope.detail
        message = detail if isinstance(detail, str) else msgspec.json.encode(detail).decode()
    if message is None:
        return None
    return WireError(message=message, param=envelope.param, code=envelope.code, type=envelope.type)


def parse_retry_after(value: str | None, now: datetime.datetime | None = None) -> float | None:
    """Seconds to wait from a ``Retry-After`` header, a number or a date (RFC 9110, 10.2.3); None when it says nothing usable."""
    if value is None:
        return None
    value = value.strip()
    try:
        seconds = float(value)
    except ValueError:
        try:
            date = email.utils.parsedate_to_datetime(value)
        except ValueError:
            return None
        if date.tzinfo is None:
            date = date.replace(tzinfo=datetime.UTC)
        seconds = (date - (now or datetime.datetime.now(datetime.UTC))).total_seconds()
    if not seconds < float("inf"):  # neither NaN nor infinity tells how long to wait
        return None
    return min(max(seconds, 0.0), _MAX_RETRY_AFTER_S)
