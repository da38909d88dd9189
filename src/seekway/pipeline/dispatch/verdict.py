"""What a failed attempt says: whose fault it was, and so whether another backend may do better."""

from __future__ import annotations

from seekway.core.errors import (
    Cancelled,
    EngineCrashed,
    InsufficientBalance,
    InsufficientMemory,
    ModelNotFound,
    Overloaded,
    RateLimited,
    RequestError,
    SeekwayError,
)
from seekway.pipeline.routing.endpoint import Verdict

_OF_CLASS: dict[type[SeekwayError], Verdict] = {
    # Seekway's own account at the backend, not the client's: another backend has another account.
    InsufficientBalance: "fault",
    # We did not cancel it, so the backend went down with it.
    Cancelled: "fault",
    RateLimited: "busy",
    # The service lives on, starts the worker again and serves its other models.
    EngineCrashed: "elsewhere",
    # Its list of models was out of date.
    ModelNotFound: "elsewhere",
}


def verdict_of(error: SeekwayError) -> Verdict:
    """``fine`` for the client's own mistakes, which no other backend would mend; all other verdicts allow another attempt."""
    known = _OF_CLASS.get(type(error))
    if known is not None:
        return known
    if isinstance(error, Overloaded | InsufficientMemory):
        # One that says when to come back is only busy; one that says nothing is to be left alone by the breaker.
        return "busy" if error.retry_after_s is not None else "fault"
    if isinstance(error, RequestError):
        return "fine"
    return "fault"


def with_retry_after(error: SeekwayError, seconds: float) -> SeekwayError:
    """The same error, saying when to come back; the one given may be somebody else's."""
    return type(error)(error.message, param=error.param, retry_after_s=seconds)
