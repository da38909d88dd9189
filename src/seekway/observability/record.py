"""What is known of one request over HTTP or gRPC when it ends: filled on the way, read by the access log and the metrics."""

from __future__ import annotations

import time

from seekway.core.types import Usage


class RequestRecord:
    """Times are ``time.perf_counter`` seconds; ``model`` is the resolved model's id, empty until it is known."""

    # Defaults of the class: one is made for every request, and many of these stay as they are.
    backend: str = ""
    tenant: str = ""
    key_id: str = ""
    """The key's public name, never the key."""
    cache: str = ""
    """``hit``, ``semantic``, ``miss`` or ``bypass`` where a cache was asked."""
    fallback: str = ""
    """The rule whose backends failed, where the request then went to the model that was asked for."""
    attempts: int = 0
    """How often a backend was asked."""
    ended: float = 0.0
    """0 while the request is under way; afterwards nothing of the record changes, for it is read later."""
    first_token_at: float | None = None
    last_token_at: float | None = None
    usage: Usage | None = None
    prompt_estimate: int = 0
    streamed_tokens: float = 0.0
    """Guesses of the prompt's and the answer's tokens, kept where limits or budgets may need them; ``usage`` is what counts when it came."""
    finish_reason: str = ""
    guardrails: tuple[str, ...] = ()
    """What the guardrails found, as ``part:category:action``; never the text."""
    policy: str = ""
    """The guardrails' policy it came under, where something was found."""
    language: str = ""
    """Of the last user message, where a stage has looked."""
    trimmed_messages: int = 0
    """Messages left out so that the rest fits the model's context."""
    error: str = ""
    """The error's stable code, empty when all went well."""

    def __init__(
        self,
        request_id: str,
        method: str = "",
        path: str = "",
        *,
        route: str = "",
        operation: str = "",
        model: str = "",
        status: int = 0,
    ) -> None:
        self.request_id = request_id
        self.method = method
        self.path = path
        """As asked for, without the query."""
        self.route = route
        """The gRPC method's path, or the route's template, such as ``/v1/models/{model_id}``; ``unmatched`` where there is none."""
        self.operation = operation
        """``chat``, ``text_completion``, ``embeddings``, ``rerank`` or ``count_tokens``; empty on other routes."""
        self.model = model
        self.status = status
        self.started = time.perf_counter()

    def duration_s(self) -> float:
        """Up to the end, or to now while there is none."""
        return (self.ended or time.perf_counter()) - self.started

    def time_to_first_token_s(self) -> float | None:
        return None if self.first_token_at is None else self.first_token_at - self.started

    def time_per_output_token_s(self) -> float | None:
        """Seconds a token after the first; None where fewer than two came."""
        if self.first_token_at is None or self.last_token_at is None or self.usage is None:
            return None
        following = self.usage.completion_tokens - 1
        return (self.last_token_at - self.first_token_at) / following if following > 0 else None
