"""The gateway's Prometheus metrics.

``gen_ai_*`` follow OpenTelemetry's semantic conventions for generative AI (names and bucket boundaries), dots as underscores;
``seekway_*`` are ours. Everything hangs on one registry that the composition root makes.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from seekway.observability.record import RequestRecord

_DURATION = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
_FIRST_TOKEN = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
_PER_TOKEN = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5)
_TOKENS = tuple(float(4**power) for power in range(14))
_STAGE = (0.00001, 0.0001, 0.001, 0.01, 0.1, 1.0)


class Metrics:
    """``registry`` is private to the process; nothing is registered globally."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        labels = ("gen_ai_operation_name", "gen_ai_response_model")
        self._duration = Histogram(
            "gen_ai_server_request_duration_seconds",
            "Time from the request's first byte to the answer's last.",
            (*labels, "error_type"),
            buckets=_DURATION,
            registry=registry,
        )
        self._first_token = Histogram(
            "gen_ai_server_time_to_first_token_seconds",
            "Time from the request's first byte to the first token.",
            labels,
            buckets=_FIRST_TOKEN,
            registry=registry,
        )
        self._per_token = Histogram(
            "gen_ai_server_time_per_output_token_seconds",
            "Time a token after the first.",
            labels,
            buckets=_PER_TOKEN,
            registry=registry,
        )
        self._token_usage = Histogram(
            "gen_ai_client_token_usage",
            "Tokens a request, by type (input, output).",
            (*labels, "gen_ai_token_type"),
            buckets=_TOKENS,
            registry=registry,
        )
        self._tokens = Counter(
            "seekway_tokens",
            "Tokens by type: input, cached (part of input), output, reasoning (part of output).",
            ("model", "type"),
            registry=registry,
        )
        self._requests = Counter(
            "seekway_http_requests", "HTTP requests by route and status.", ("path", "status"), registry=registry
        )
        self._errors = Counter(
            "seekway_errors", "Failed requests by error code and model.", ("code", "model"), registry=registry
        )
        self.in_flight = Gauge("seekway_requests_in_flight", "Model requests being answered.", registry=registry)
        self._stage_time = Histogram(
            "seekway_stage_duration_seconds",
            "Own time of a pipeline stage, one request.",
            ("stage",),
            buckets=_STAGE,
            registry=registry,
        )

    def stage(self, name: str, seconds: float) -> None:
        self._stage_time.labels(name).observe(seconds)

    def request_ended(self, record: RequestRecord) -> None:
        """Count a finished HTTP request. ``record.path`` is the route's template, so that labels stay few."""
        self._requests.labels(record.path, str(record.status)).inc()
        if record.error:
            self._errors.labels(record.error, record.model).inc()
        if not record.operation:
            return
        operation, model = record.operation, record.model
        self._duration.labels(operation, model, record.error).observe(record.duration_s())
        first, each, usage = record.time_to_first_token_s(), record.time_per_output_token_s(), record.usage
        if first is not None:
            self._first_token.labels(operation, model).observe(first)
        if each is not None:
            self._per_token.labels(operation, model).observe(each)
        if usage is None:
            return
        self._token_usage.labels(operation, model, "input").observe(usage.prompt_tokens)
        self._token_usage.labels(operation, model, "output").observe(usage.completion_tokens)
        for kind, count in (
            ("input", usage.prompt_tokens),
            ("cached", usage.cached_tokens),
            ("output", usage.completion_tokens),
            ("reasoning", usage.reasoning_tokens),
        ):
            self._tokens.labels(model, kind).inc(count)
