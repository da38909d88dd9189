"""Latency is remembered with its peaks and forgotten with time."""

from __future__ import annotations

from math import exp

import pytest

from seekway.pipeline.routing.latency import PeakEwma


def test_nothing_observed_is_nothing() -> None:
    assert PeakEwma(10).value(5.0) == 0.0


def test_a_slower_answer_counts_at_once_and_in_full() -> None:
    latency = PeakEwma(10)
    latency.observe(0.0, 0.1)
    latency.observe(0.01, 2.0)
    assert latency.value(0.01) == 2.0


def test_a_faster_answer_counts_by_the_time_since_the_last() -> None:
    latency = PeakEwma(10)
    latency.observe(0.0, 2.0)
    latency.observe(10.0, 1.0)
    assert latency.value(10.0) == pytest.approx(1.0 + exp(-1))


def test_without_answers_it_sinks_so_that_a_slow_backend_is_asked_again() -> None:
    latency = PeakEwma(10)
    latency.observe(0.0, 2.0)
    assert latency.value(10.0) == pytest.approx(2.0 * exp(-1))
    assert latency.value(1000.0) < 1e-9


def test_a_clock_that_stands_still_does_no_harm() -> None:
    latency = PeakEwma(10)
    latency.observe(5.0, 2.0)
    latency.observe(5.0, 1.0)
    assert latency.value(4.0) == 2.0
