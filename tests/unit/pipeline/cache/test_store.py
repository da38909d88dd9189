"""The memory's bounds hold, in answers, in bytes and in time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from seekway.observability.cache_figures import CacheCounts
from seekway.pipeline.cache.store import Found, MemoryStore
from tests.unit.pipeline.cache.asked import Clock


def make(max_entries: int = 3, max_bytes: int = 100_000) -> tuple[MemoryStore, Clock, CacheCounts]:
    clock, counts = Clock(), CacheCounts()
    return MemoryStore(counts, max_entries=max_entries, max_bytes=max_bytes, clock=clock), clock, counts


def test_an_answer_is_there_until_its_time_is_over() -> None:
    store, clock, _ = make()
    store.put(b"k", b"answer", 10.0)
    clock.now += 4
    assert store.peek(b"k") == Found(b"answer", 4.0, 6.0)
    clock.now += 6
    assert store.peek(b"k") is None
    assert store.size().bytes == store.size().entries == 0


def test_the_least_recently_used_answer_goes() -> None:
    store, _, counts = make()
    for key in (b"a", b"b", b"c"):
        store.put(key, key, 10.0)
    assert store.peek(b"a")
    store.put(b"d", b"d", 10.0)
    assert store.peek(b"b") is None
    assert store.peek(b"a")
    assert counts.evicted == 1


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 900), st.sampled_from([0.5, 5.0])), max_size=40))
def test_the_bounds_always_hold(puts: list[tuple[int, int, float]]) -> None:
    store, clock, _ = make(max_entries=4, max_bytes=3000)
    for number, length, ttl_s in puts:
        clock.now += 0.3
        store.put(bytes([number]), b"x" * length, ttl_s)
        assert store.size().entries <= 4
        assert store.size().bytes <= 3000
    live = [found for number in range(6) if (found := store.peek(bytes([number])))]
    assert len(live) == store.size().entries
    assert sum(len(found.answer) + 300 for found in live) == store.size().bytes


def test_stale_texts_do_not_stay_in_a_cache_that_is_never_full() -> None:
    store, clock, counts = make(max_entries=100)
    for number in range(10):
        store.put(bytes([number]), b"x", 1.0)
    clock.now += 2
    for number in range(3):
        store.put(bytes([100 + number]), b"x", 1.0)
    assert store.size().entries == 3
    assert counts.evicted == 0


async def test_one_tenants_answers_can_be_cleared() -> None:
    store, _, _ = make(max_entries=10)
    for key in (b"t1-a", b"t1-b", b"t2-a"):
        store.put(key, b"x", 10.0)
    assert await store.clear(b"t1") == 2
    assert store.peek(b"t2-a")
    assert await store.clear(b"") == 1
    assert store.size().bytes == 0
