"""The gateway's Prometheus metrics.

``gen_ai_*`` follow OpenTelemetry's semantic conventions for generative AI (names and bucket boundaries), dots as underscores;
``seekway_*`` are ours. Everything hangs on one registry that the composition root makes.
"""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Gauge

from seekway.observability.record import RequestRecord
from seekway.observability.tallies import Counter, Histogram

_DURATION = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
_FIRST_TOKEN = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
_PER_TOKEN = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5)
_TOKENS = tuple(float(4**power) for power in range(14))
_MOST_WAITING = 256
_BY_TYPE = ("model", "type")


class Metrics:
    """``registry`` is private to the process; nothing is registered globally.

    Records are counted together, at the latest when somebody scrapes: one after the other they cost half of what they do in between requests.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self._waiting: list[RequestRecord] = []
        labels = ("gen_ai_operation_name", "gen_ai_response_model")

        def histogram(name: str, text: str, labels: tuple[str, ...], buckets: tuple[float, ...]) -> Histogram:
            made = Histogram(name, text, labels, buckets, self._settle)
            registry.register(made)
            return made

        def counter(name: str, text: str, labels: tuple[str, ...]) -> Counter:
            made = Counter(name, text, labels, self._settle)
            registry.register(made)
            return made

        self._duration = histogram(
            "gen_ai_server_request_duration_seconds",
            "Time from the request's first byte to the answer's last.",
            (*labels, "error_type"),
            _DURATION,
        )
        self._first_token = histogram(
            "gen_ai_server_time_to_first_token_seconds",
            "Time from the request's first byte to the first token.",
            labels,
            _FIRST_TOKEN,
        )
        self._per_token = histogram(
            "gen_ai_server_time_per_output_token_seconds", "Time a token after the first.", labels, _PER_TOKEN
        )
        self._token_usage = histogram(
            "gen_ai_client_token_usage", "Tokens a request.", (*labels, "gen_ai_token_type"), _TOKENS
        )
        self._tokens = counter("seekway_tokens", "Tokens; cached are part of input, reasoning of output.", _BY_TYPE)
        self._requests = counter(
            "seekway_http_requests",
            "Requests over HTTP, and over gRPC with the status HTTP would have.",
            ("route", "status"),
        )
        self._errors = counter("seekway_errors", "Failed requests by error code.", ("code", "model"))
        self._fallbacks = counter(
            "seekway_fallbacks", "Requests that left a canary rule whose backends failed.", ("rule",)
        )
        self._in_flight = Gauge(
            "seekway_http_requests_in_flight",
            "HTTP and gRPC requests being answered, the scrape that asks among them.",
            registry=registry,
        )

    def watch_in_flight(self, count: Callable[[], float]) -> None:
        self._in_flight.set_function(count)

    def request_ended(self, record: RequestRecord) -> None:
        """Count a finished request, whose record changes no more."""
        waiting = self._waiting
        waiting.append(record)
        if len(waiting) >= _MOST_WAITING:
            self._settle()

    def _settle(self) -> None:
        if self._waiting:
            records, self._waiting = self._waiting, []
            for record in records:
                self._count(record)

    def _count(self, record: RequestRecord) -> None:
        self._requests.add((record.route, str(record.status)))
        operation, model = record.operation, record.model
        if record.error:
            self._errors.add((record.error, model))
        if not operation:
            return
        if record.fallback:
            self._fallbacks.add((record.fallback,))
        labels = (operation, model)
        self._duration.observe((operation, model, record.error), record.duration_s())
        first, each, usage = record.time_to_first_token_s(), record.time_per_output_token_s(), record.usage
        if first is not None:
            self._first_token.observe(labels, first)
        if each is not None:
            self._per_token.observe(labels, each)
        if usage is None:
            return
        self._token_usage.observe((operation, model, "input"), usage.prompt_tokens)
        self._token_usage.observe((operation, model, "output"), usage.completion_tokens)
        tokens = self._tokens
        tokens.add((model, "input"), usage.prompt_tokens)
        tokens.add((model, "output"), usage.completion_tokens)
        tokens.add((model, "cached"), usage.cached_tokens)
        tokens.add((model, "reasoning"), usage.reasoning_tokens)
