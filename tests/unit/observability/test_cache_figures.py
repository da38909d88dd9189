"""The cache's figures reach a scrape."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest

from seekway.observability.cache_figures import CacheCounts, CacheFigures, CacheSize


def test_a_scrape_shows_what_was_counted() -> None:
    registry = CollectorRegistry()
    counts = CacheCounts(hits=3, semantic_hits=1, misses=4, bypassed=2, shared=1, near_misses=5)
    registry.register(CacheFigures(counts, lambda: CacheSize(7, 900, 11)))
    text = generate_latest(registry).decode()
    assert 'seekway_cache_requests_total{result="semantic"} 1.0' in text
    assert "seekway_cache_hit_ratio 0.5" in text
    assert "seekway_cache_bytes 900.0" in text
    assert "seekway_cache_near_misses_total 5.0" in text


def test_before_the_first_request_the_ratio_is_zero() -> None:
    assert CacheCounts().hit_ratio == 0.0
