from __future__ import annotations

import itertools

from seekway.applications.store.app_store import AppStore
from seekway.applications.store.stops import Stop
from seekway.storage.sql.database import Database


async def test_a_wish_to_stop_is_found_by_its_task_until_it_is_old(database: Database) -> None:
    store = AppStore(database, itertools.count(0, 1_000_000).__next__)
    await store.open()
    for session in ("u", "u", "other"):
        await store.stops.wish(Stop("app", "t1", session))
    found = await store.stops.wished(["t0", "t1"])
    assert {(one.app, one.task, one.session) for one in found} == {("app", "t1", "u"), ("app", "t1", "other")}
    assert await store.stops.wished([]) == []
    await store.stops.wish(Stop("app", "t2", "u"))
    await store.stops.wish(Stop("app", "t3", "u"))
    kept = await store.stops.wished(["t1", "t2", "t3"])
    assert {(one.task, one.session) for one in kept} == {("t1", "other"), ("t2", "u"), ("t3", "u")}
