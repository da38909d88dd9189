"""Every scenario, in the order in which they are played."""

from __future__ import annotations

from tests.chaos.scenario import Scenario
from tests.chaos.scenarios import (
    backend_killed,
    backend_stopped,
    broken_answers,
    configuration,
    connection_refused,
    drained,
    gateway_worker_killed,
    name_gone,
    slow_headers,
    storms,
)

SCENARIOS: tuple[Scenario, ...] = (
    backend_killed.KILLED,
    backend_killed.KILLED_PLAIN,
    backend_stopped.STOPPED,
    backend_stopped.STOPPED_PLAIN,
    connection_refused.REFUSED,
    broken_answers.HALF_OPEN,
    broken_answers.VANISHED,
    broken_answers.RESET,
    broken_answers.RESET_PLAIN,
    broken_answers.RESET_EARLY,
    broken_answers.TRUNCATED,
    broken_answers.TRUNCATED_PLAIN,
    broken_answers.MALFORMED,
    broken_answers.MALFORMED_PLAIN,
    slow_headers.SLOW_HEADERS,
    slow_headers.SLOW_HEADERS_HEDGED,
    storms.STORM_429,
    storms.STORM_429_RETRY_AFTER,
    storms.STORM_503,
    storms.STORM_503_RETRY_AFTER,
    storms.STORM_EVERYWHERE,
    name_gone.NAME_GONE,
    gateway_worker_killed.GATEWAY_WORKER_KILLED,
    drained.DRAINED,
    configuration.BROKEN,
    configuration.CHANGED,
)
