"""Equal requests are answered from the cache, each tenant's from its own, and only with whole answers."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from seekway.core.errors import DeadlineExceeded, InvalidParameter, NotCached
from seekway.core.types import GenerateRequest, Sampling, Tool, ToolCallDelta
from seekway.pipeline.cache.key import tenant_of
from seekway.pipeline.caller import Caller
from seekway.pipeline.directory import Route
from tests.fakes.backend import model_info
from tests.unit.pipeline.cache.asked import ON, Asked, AskedCache, answer_of, asked_and_given


def cache_control(value: bytes) -> tuple[tuple[bytes, bytes]]:
    return ((b"cache-control", value),)


async def test_the_second_of_two_equal_requests_is_answered_from_the_cache() -> None:
    cache = AskedCache()
    first = await asked_and_given(cache, "q", "Paris.")
    assert (first.did, first.headers) == ("miss", {b"x-seekway-cache": b"miss"})
    cache.clock.now += 5.5
    second = await cache.ask("q").look()
    assert (second.did, second.text) == ("hit", "Paris.")
    assert second.headers == {b"x-seekway-cache": b"hit", b"age": b"5"}
    assert second.filter is None
    assert (cache.counts.hits, cache.counts.misses, cache.counts.stored) == (1, 1, 1)
    assert cache.counts.hit_ratio == 0.5


async def test_a_lookup_in_memory_needs_no_task() -> None:
    cache = AskedCache()
    for _ in range(2):
        asked = cache.ask("q")
        assert isinstance(cache.look(asked.request, asked.exchange), GenerateRequest)
        asked.filter = cache.keep.open(asked.request, asked.exchange)
        if asked.exchange.answer is None:
            asked.give(answer_of())
    assert cache.counts.hits == 1


async def test_streams_and_whole_answers_share() -> None:
    cache = AskedCache()
    await asked_and_given(cache, "q", "a" * 2000, stream=True)
    whole = await cache.ask("q", stream=False).look()
    stream = await cache.ask("q", stream=True).look()
    assert whole.text == stream.text == "a" * 2000
    assert whole.exchange.answer is not None
    assert stream.exchange.answer is not None
    assert (len(whole.exchange.answer), len(stream.exchange.answer)) == (3, 6)


async def test_tenants_never_share() -> None:
    cache = AskedCache()
    callers = (Caller(), Caller("k"), Caller("k2"), Caller("k", "t"), Caller("k", "t2"))
    for caller in callers:
        await asked_and_given(cache, "q", tenant_of(caller), caller=caller)
    for caller in callers:
        assert (await cache.ask("q", caller=caller).look()).text == tenant_of(caller)
    assert (await cache.ask("q", caller=Caller("k9", "t")).look()).text == tenant_of(Caller("", "t"))


async def test_users_of_a_tenant_share_unless_they_are_kept_apart() -> None:
    for apart in (False, True):
        cache = AskedCache(msgspec.structs.replace(ON, per_user=apart))
        await asked_and_given(cache, "q", "a", user_id="u")
        assert (await cache.ask("q", user_id="u2").look()).did == ("miss" if apart else "hit")


async def test_another_version_of_the_model_is_asked_anew() -> None:
    cache = AskedCache()
    await asked_and_given(cache, "q", "a")
    assert (await cache.ask("q", version="2").look()).did == "miss"


@pytest.mark.parametrize(
    ("tenants", "excluded", "served"), [((), (), True), (("t",), (), True), (("x",), (), False), ((), ("t",), False)]
)
async def test_each_tenant_has_its_switch(tenants: tuple[str, ...], excluded: tuple[str, ...], served: bool) -> None:
    cache = AskedCache(msgspec.structs.replace(ON, tenants=tenants, excluded_tenants=excluded))
    asked = await cache.ask("q", caller=Caller("k", "t"), extra={"cache": {"ttl": 1}}).look()
    assert asked.did == ("miss" if served else "")
    # Where the cache is off, the field may be the upstream server's own.
    assert ("cache" in asked.request.extra) is not served


@pytest.mark.parametrize("reason", ["length", "content_filter", "aborted"])
async def test_an_answer_that_was_cut_is_not_kept(reason: str) -> None:
    cache = AskedCache()
    (await cache.ask("q").look()).give(answer_of(reason=reason))
    assert (await cache.ask("q").look()).did == "miss"
    assert cache.counts.unfit == 1


@pytest.mark.parametrize("error", ["cancelled", "backend_unavailable", "stream_interrupted"])
async def test_an_answer_that_broke_off_is_not_kept(error: str) -> None:
    cache = AskedCache()
    asked = await cache.ask("q").look()
    assert asked.filter is not None
    asked.filter.feed(answer_of())
    asked.end(error)
    assert (await cache.ask("q").look()).did == "miss"
    assert not cache.counts.stored
    assert len(cache.cache.recordings) == 1


@pytest.mark.parametrize(("model", "version"), [("other", "1"), ("m", "2")])
async def test_an_answer_of_another_model_or_version_than_was_asked_is_not_kept(model: str, version: str) -> None:
    cache = AskedCache()
    asked = await cache.ask("q").look()
    asked.exchange.take(Route(asked.exchange.resolved.member, model_info(model, version), model))
    asked.give(answer_of())
    assert (await cache.ask("q").look()).did == "miss"


async def test_tool_calls_are_kept() -> None:
    cache = AskedCache()
    call = (ToolCallDelta(0, "c1", "f", "{"), ToolCallDelta(0, arguments="}"), *answer_of(reason="tool_calls")[1:])
    (await cache.ask("q", tools=(Tool("f"),)).look()).give(call)
    found = (await cache.ask("q", tools=(Tool("f"),)).look()).exchange.answer
    assert found is not None
    assert found[0] == ToolCallDelta(0, "c1", "f", "{}")


async def test_answers_drawn_by_chance_are_kept_only_where_the_settings_say_so() -> None:
    for sampled in (False, True):
        cache = AskedCache(msgspec.structs.replace(ON, sampled=sampled))
        for sampling in (Sampling(), Sampling(temperature=0.7)):
            (await cache.ask("q", sampling=sampling).look()).give(answer_of())
            assert (await cache.ask("q", sampling=sampling).look()).did == ("hit" if sampled else "bypass")


async def test_no_store_leaves_nothing_and_reads_nothing() -> None:
    cache = AskedCache()
    first = await cache.ask("q", headers=cache_control(b"no-store")).look()
    assert (first.did, first.filter) == ("bypass", None)
    first.give(answer_of())
    await asked_and_given(cache, "q", "a")
    assert (await cache.ask("q", headers=cache_control(b"no-store")).look()).did == "bypass"


async def test_no_cache_makes_the_answer_anew_and_keeps_it() -> None:
    cache = AskedCache()
    await asked_and_given(cache, "q", "old")
    anew = await cache.ask("q", headers=cache_control(b"no-cache")).look()
    assert anew.did == "miss"
    anew.give(answer_of("new"))
    assert (await cache.ask("q").look()).text == "new"


async def test_max_age_bounds_the_answers_age() -> None:
    cache = AskedCache()
    await asked_and_given(cache, "q", "a")
    cache.clock.now += 30
    assert (await cache.ask("q", headers=cache_control(b"max-age=30")).look()).did == "hit"
    assert (await cache.ask("q", headers=cache_control(b"max-age=29")).look()).did == "miss"


async def test_only_if_cached_is_answered_or_refused_with_504() -> None:
    cache = AskedCache()
    for value in (b"only-if-cached", b"only-if-cached, no-store", b"only-if-cached, no-cache"):
        with pytest.raises(NotCached) as refused:
            await cache.ask("q", headers=cache_control(value)).look()
        assert refused.value.status == 504
    with pytest.raises(NotCached):
        await cache.ask("q", headers=cache_control(b"only-if-cached"), sampling=Sampling()).look()
    assert not cache.cache.recordings
    assert not len(cache.cache.flights)
    await asked_and_given(cache, "q", "a")
    assert (await cache.ask("q", headers=cache_control(b"only-if-cached")).look()).text == "a"


async def test_only_if_cached_waits_for_nobody() -> None:
    cache = AskedCache()
    await cache.ask("q").look()
    with pytest.raises(NotCached):
        await cache.ask("q", headers=cache_control(b"only-if-cached")).look()


async def test_the_bodys_wishes_are_heeded_and_not_passed_on() -> None:
    cache = AskedCache()
    short = await cache.ask("q", extra={"cache": {"ttl": 10}, "other": 1}).look()
    assert short.request.extra == {"other": 1}
    short.give(answer_of())
    assert (await cache.ask("q", extra={"other": 1}).look()).did == "hit"
    assert (await cache.ask("q", extra={"other": 1, "cache": {"namespace": "n"}}).look()).did == "miss"
    cache.clock.now += 11
    assert (await cache.ask("q", extra={"other": 1}).look()).did == "miss"
    with pytest.raises(InvalidParameter):
        await cache.ask("q", extra={"cache": {"ttl": "x"}}).look()


async def test_a_trial_is_neither_counted_nor_kept() -> None:
    cache = AskedCache()
    asked = cache.ask("q")
    asked.exchange.trial = True
    await asked.look()
    assert (asked.did, asked.filter) == ("", None)


async def test_what_cannot_be_read_in_the_store_is_a_miss() -> None:
    cache = AskedCache()
    first = await asked_and_given(cache, "q", "a")
    key = next(iter(cache.cache.store._entries))  # pyright: ignore[reportAttributeAccessIssue, reportPrivateUsage, reportUnknownArgumentType, reportUnknownMemberType, reportUnknownVariableType]
    cache.cache.store.put(key, b"not an answer", 60.0)  # pyright: ignore[reportUnknownArgumentType]
    assert (await cache.ask("q").look()).did == "miss"
    assert first.did == "miss"
    assert cache.counts.store_failures == 1


async def started(cache: AskedCache, *asked: Asked) -> list[asyncio.Task[Asked]]:
    """Tasks that all wait for the flight under way."""
    tasks = [asyncio.ensure_future(one.look()) for one in asked]
    for _ in range(3):
        await asyncio.sleep(0)
    return tasks


async def test_equal_requests_under_way_share_one_generation() -> None:
    cache = AskedCache()
    leader = await cache.ask("q").look()
    tasks = await started(cache, *(cache.ask("q", stream=n % 2 == 0) for n in range(5)))
    assert not any(task.done() for task in tasks)
    leader.give(answer_of("shared"))
    assert [(one.did, one.text) for one in await asyncio.gather(*tasks)] == [("hit", "shared")] * 5
    assert (cache.counts.shared, cache.counts.misses) == (5, 1)
    assert not len(cache.cache.flights)


@pytest.mark.parametrize("error", ["cancelled", "backend_unavailable"])
async def test_when_the_leader_fails_one_follower_leads(error: str) -> None:
    cache = AskedCache()
    leader = await cache.ask("q").look()
    tasks = await started(cache, *(cache.ask("q") for _ in range(3)))
    leader.end(error)
    second = await tasks[0]
    assert (second.did, [task.done() for task in tasks]) == ("miss", [True, False, False])
    second.give(answer_of("from the second"))
    assert [one.text for one in await asyncio.gather(*tasks[1:])] == ["from the second"] * 2


async def test_after_two_failures_nobody_queues_behind_another() -> None:
    cache = AskedCache()
    leader = await cache.ask("q").look()
    tasks = await started(cache, *(cache.ask("q") for _ in range(4)))
    leader.end("backend_unavailable")
    (await tasks[0]).end("backend_unavailable")
    assert [one.did for one in await asyncio.gather(*tasks[1:])] == ["miss"] * 3


async def test_an_answer_not_to_be_kept_is_not_shared_either() -> None:
    cache = AskedCache()
    leader = await cache.ask("q").look()
    tasks = await started(cache, *(cache.ask("q") for _ in range(3)))
    leader.give(answer_of(reason="content_filter"))
    assert [one.did for one in await asyncio.gather(*tasks)] == ["miss"] * 3


async def test_a_follower_that_leaves_takes_nothing_with_it() -> None:
    cache = AskedCache()
    leader = await cache.ask("q").look()
    tasks = await started(cache, *(cache.ask("q") for _ in range(3)))
    tasks[1].cancel()
    # Told to lead and cancelled in the same moment: the next one leads.
    leader.end("cancelled")
    tasks[0].cancel()
    third = await tasks[2]
    assert third.did == "miss"
    assert all(task.cancelled() for task in tasks[:2])
    third.give(answer_of())
    assert not len(cache.cache.flights)
    assert (await cache.ask("q").look()).did == "hit"


async def test_nobody_waits_past_its_own_deadline() -> None:
    cache = AskedCache()
    leader = await cache.ask("q").look()
    now = asyncio.get_running_loop().time()
    with pytest.raises(DeadlineExceeded):
        await cache.ask("q", deadline=now).look()
    leader.give(answer_of())
    assert (await cache.ask("q").look()).did == "hit"


async def test_who_has_waited_long_enough_asks_for_itself() -> None:
    cache = AskedCache(msgspec.structs.replace(ON, share_wait_s=0.001))
    leader = await cache.ask("q").look()
    alone = await cache.ask("q").look()
    assert (alone.did, alone.text) == ("miss", None)
    alone.give(answer_of("alone"))
    leader.give(answer_of("leader"))
    assert (await cache.ask("q").look()).text == "leader"


async def test_who_went_alone_does_not_speak_for_those_who_wait() -> None:
    cache = AskedCache(msgspec.structs.replace(ON, share_wait_s=0.001))
    leader = await cache.ask("q").look()
    (await cache.ask("q").look()).end("backend_unavailable")
    assert len(cache.cache.flights) == 1
    leader.give(answer_of())
    assert not len(cache.cache.flights)


async def test_sharing_can_be_turned_off() -> None:
    cache = AskedCache(msgspec.structs.replace(ON, share_wait_s=0.0))
    for _ in range(2):
        assert (await cache.ask("q").look()).did == "miss"
    assert not len(cache.cache.flights)


async def test_requests_that_want_it_fresh_neither_lead_nor_follow() -> None:
    cache = AskedCache()
    for value in (b"no-cache", b"no-store"):
        await cache.ask("q", headers=cache_control(value)).look()
    assert not len(cache.cache.flights)
    leader = await cache.ask("q").look()
    assert (await cache.ask("q", headers=cache_control(b"no-cache")).look()).did == "miss"
    leader.give(answer_of())


async def test_every_way_out_leaves_nothing_behind() -> None:
    cache = AskedCache()
    for way in ("give", "fail", "unfit", "hit"):
        asked = await cache.ask(way).look()
        if way == "fail":
            asked.end("engine_crashed")
        else:
            asked.give(answer_of(reason="length" if way == "unfit" else "stop"))
    (await cache.ask("hit").look()).end()
    assert not cache.cache.recordings
    assert not len(cache.cache.flights)


async def test_a_tenants_answers_can_be_cleared() -> None:
    cache = AskedCache()
    for tenant in ("a", "b"):
        await asked_and_given(cache, "q", tenant, caller=Caller("k", tenant))
    assert await cache.cache.clear(Caller("k", "a")) == 1
    assert (await cache.ask("q", caller=Caller("k", "a")).look()).did == "miss"
    assert (await cache.ask("q", caller=Caller("k", "b")).look()).did == "hit"
    assert await cache.cache.clear() == 1
