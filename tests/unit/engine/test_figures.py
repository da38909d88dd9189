from __future__ import annotations

import subprocess
import sys

from seekway.engine.figures import EngineFigures, RecentRate


class _Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_rate_is_over_the_time_since_the_start_while_that_is_short() -> None:
    clock = _Clock()
    rate = RecentRate(clock)
    rate.add(10)
    assert rate.per_second() == 10.0
    clock.now += 5
    rate.add(10)
    assert rate.per_second() == 4.0


def test_what_is_older_than_the_window_no_longer_counts() -> None:
    clock = _Clock()
    rate = RecentRate(clock)
    rate.add(1000)
    clock.now += 8
    rate.add(50)
    assert rate.per_second() == 1050 / 8
    clock.now += 4
    assert rate.per_second() == 5.0
    clock.now += 100
    assert rate.per_second() == 0.0


def test_many_small_counts_stay_in_few_buckets() -> None:
    clock = _Clock()
    rate = RecentRate(clock)
    for _ in range(10_000):
        clock.now += 0.001
        rate.add(1)
    assert round(rate.per_second()) == 1000
    assert rate.buckets <= 41


def test_a_snapshot_holds_totals_rate_and_memory() -> None:
    clock = _Clock()
    figures = EngineFigures(clock)
    figures.request_started(100)
    figures.prompt_reused(64)
    figures.tokens_generated(3)
    figures.tokens_generated(4)
    figures.request_started(11)
    stats = figures.snapshot(running=2, queued=1, queue_limit=9, kv_cache_used=0.5)
    assert (stats.running, stats.queued, stats.queue_limit, stats.kv_cache_used) == (2, 1, 9, 0.5)
    assert (stats.requests_total, stats.prompt_tokens_total, stats.cached_tokens_total) == (2, 111, 64)
    assert (stats.generated_tokens_total, stats.generated_tokens_per_s) == (7, 7.0)
    assert stats.rss_bytes > 0


# A process of its own: nothing else in it takes or gives back memory meanwhile.
GROW = """
from seekway.engine.figures import process_rss_bytes
before = process_rss_bytes()
ballast = b"x" * 64 * 2**20
print(before, process_rss_bytes())
"""


def test_memory_in_use_is_that_of_this_process() -> None:
    before, after = map(
        int, subprocess.run([sys.executable, "-c", GROW], capture_output=True, check=True).stdout.split()
    )
    assert 60 * 2**20 <= after - before < 96 * 2**20
