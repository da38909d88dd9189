"""What the gateway does about backends that fail, slow down or are full."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Share = Annotated[float, Meta(ge=0, le=1)]
Seconds = Annotated[float, Meta(gt=0)]


class ResilienceSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    attempts: Annotated[
        int, Meta(ge=1, le=10, description="Most attempts for one request, the first among them; 1 never retries.")
    ] = 3
    retry_share: Annotated[
        Share,
        Meta(description="Most retries as a share of a model's requests, so that retries never multiply a storm."),
    ] = 0.2
    retry_minimum: Annotated[
        int, Meta(ge=0, description="Retries in ten seconds that are allowed whatever the load, for quiet gateways.")
    ] = 10
    backoff_s: Annotated[
        Seconds, Meta(description="Longest first wait before the same backend is tried again; doubles, and is random.")
    ] = 0.05
    backoff_most_s: Annotated[Seconds, Meta(description="Longest wait before any retry.")] = 1.0
    retry_after_most_s: Annotated[
        Seconds, Meta(description="Longest `Retry-After` of a backend that is believed; it gets no request before.")
    ] = 300.0
    window_s: Annotated[
        Seconds, Meta(description="How far back failures are counted for the breaker and for ejection.")
    ] = 10.0
    breaker_failures: Annotated[
        int, Meta(ge=1, description="Failures in a row that open a backend's circuit breaker.")
    ] = 5
    breaker_share: Annotated[Share, Meta(description="Share of failures in the window that opens it as well.")] = 0.5
    breaker_open_s: Annotated[
        Seconds, Meta(description="How long an open breaker lets nothing through; doubles with every failed probe.")
    ] = 5.0
    breaker_open_most_s: Annotated[Seconds, Meta(description="Longest time a breaker stays open without a probe.")] = (
        60.0
    )
    least_requests: Annotated[
        int, Meta(ge=1, description="Requests in the window below which a share of failures says nothing.")
    ] = 20
    ejection_share: Annotated[
        Share, Meta(description="A backend that fails by this share more often than its neighbours is left out.")
    ] = 0.2
    ejection_s: Annotated[
        Seconds, Meta(description="How long it is left out, times the number of times it was lately.")
    ] = 10.0
    ejection_longest_s: Annotated[Seconds, Meta(description="Longest time it is left out.")] = 300.0
    ejection_most_share: Annotated[
        Share, Meta(description="Most of a model's backends left out at once; one always stays.")
    ] = 0.5
    slow_start_s: Annotated[
        float, Meta(ge=0, description="A backend that has come back gets its full share of requests after this time.")
    ] = 10.0
    concurrency_least: Annotated[
        int, Meta(ge=1, description="Requests at once that a backend's adaptive limit never falls below.")
    ] = 8
    concurrency_most: Annotated[
        int, Meta(ge=1, description="Requests at once that it never rises above; where it starts.")
    ] = 4096
    slow_first_event_s: Annotated[
        Seconds, Meta(description="A first token later than this counts as overload and lowers the limit.")
    ] = 20.0
    queue_most: Annotated[
        int,
        Meta(
            ge=0,
            le=10_000,
            description="Requests for a model that may wait while its backends are at their limit, the most urgent first; 0: none.",
        ),
    ] = 64
    queue_wait_s: Annotated[Seconds, Meta(description="Longest such wait; then 503 with `Retry-After`.")] = 0.25
    hedge: Annotated[
        bool,
        Meta(description="Ask a second backend when the first gives no token in the usual time; the quicker one wins."),
    ] = False
    hedge_quantile: Annotated[
        Share, Meta(description="The usual time: this quantile of the model's measured times to first token.")
    ] = 0.95
    hedge_least_s: Annotated[Seconds, Meta(description="Never ask a second backend sooner.")] = 0.05
    hedge_share: Annotated[Share, Meta(description="Most second requests as a share of a model's requests.")] = 0.05
    continue_streams: Annotated[
        Literal["off", "known", "any"],
        Meta(
            description="Continue an answer that broke off on another backend: `known` on local models and DeepSeek's cloud, "
            "`any` also on other servers, which must then honour `continue_final_message` (vLLM, SGLang)."
        ),
    ] = "off"
    continue_characters: Annotated[
        int,
        Meta(ge=0, description="Longest answer, in characters, that is kept in memory so that it can be continued."),
    ] = 200_000
