"""The gateway's Prometheus metrics.

``gen_ai_*`` follow OpenTelemetry's semantic conventions for generative AI (names and bucket boundaries), dots as underscores;
``seekway_*`` are ours. Everything hangs on one registry that the composition root makes.
"""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Gauge

from seekway.core.types import Usage
from seekway.observability.record import RequestRecord
from seekway.observability.tallies import Cell, Count, Counter, Histogram

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
        self._series: dict[tuple[str, int, str, str, str], _Series] = {}
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
        key = record.route, record.status, record.operation, record.model, record.error
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = self._series_of(*key)
        for count in series.always:
            count.value += 1
        if series.duration is None:
            return
        series.duration.observe(record.duration_s())
        if record.fallback:
            self._fallbacks.count((record.fallback,)).value += 1
        if (first := record.time_to_first_token_s()) is not None:
            cell = series.first_token
            if cell is None:
                cell = series.first_token = self._first_token.cell((record.operation, record.model))
            cell.observe(first)
        usage = record.usage
        if usage is None:
            return
        if (each := record.time_per_output_token_s()) is not None:
            cell = series.per_token
            if cell is None:
                cell = series.per_token = self._per_token.cell((record.operation, record.model))
            cell.observe(each)
        tokens = series.tokens
        if tokens is None:
            tokens = series.tokens = self._tokens_of(record.operation, record.model)
        tokens.add(usage)

    def _series_of(self, route: str, status: int, operation: str, model: str, error: str) -> _Series:
        always = [self._requests.count((route, str(status)))]
        if error:
            always.append(self._errors.count((error, model)))
        return _Series(tuple(always), self._duration.cell((operation, model, error)) if operation else None)

    def _tokens_of(self, operation: str, model: str) -> _TokenSeries:
        usage, tokens = self._token_usage, self._tokens
        return _TokenSeries(
            inputs=usage.cell((operation, model, "input")),
            outputs=usage.cell((operation, model, "output")),
            input_=tokens.count((model, "input")),
            output=tokens.count((model, "output")),
            cached=tokens.count((model, "cached")),
            reasoning=tokens.count((model, "reasoning")),
        )


class _Series:
    """Where requests of one kind are counted, looked up once; a series that nothing was counted in yet is not there and not told of."""

    __slots__ = ("always", "duration", "first_token", "per_token", "tokens")

    def __init__(self, always: tuple[Count, ...], duration: Cell | None) -> None:
        self.always = always
        self.duration = duration
        self.first_token: Cell | None = None
        self.per_token: Cell | None = None
        self.tokens: _TokenSeries | None = None


class _TokenSeries:
    __slots__ = ("_cached", "_input", "_inputs", "_output", "_outputs", "_reasoning")

    def __init__(
        self, *, inputs: Cell, outputs: Cell, input_: Count, output: Count, cached: Count, reasoning: Count
    ) -> None:
        self._inputs, self._outputs = inputs, outputs
        self._input, self._output, self._cached, self._reasoning = input_, output, cached, reasoning

    def add(self, usage: Usage) -> None:
        self._inputs.observe(usage.prompt_tokens)
        self._outputs.observe(usage.completion_tokens)
        self._input.value += usage.prompt_tokens
        self._output.value += usage.completion_tokens
        self._cached.value += usage.cached_tokens
        self._reasoning.value += usage.reasoning_tokens
