"""The directory knows who serves what, whoever is away."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from seekway.core.errors import BackendUnavailable, InvalidRequest, ModelNotFound, SeekwayError
from seekway.core.types import EngineStats, ModelInfo
from seekway.pipeline.directory import BackendDirectory, Member, Pace
from seekway.pipeline.names import ModelNames
from tests.fakes.backend import FakeBackend, model_info

EAGER = Pace(settled_s=0, unsettled_s=0, fresh_s=0, timeout_s=0.05)
AWAY = BackendUnavailable("It is away.")


class HangingBackend(FakeBackend):
    async def models(self) -> tuple[ModelInfo, ...]:
        await asyncio.Event().wait()
        raise AssertionError


class AskedBackend(FakeBackend):
    """Tells when it was asked."""

    def __init__(self, error: SeekwayError | None = None) -> None:
        super().__init__(error=error)
        self.asked = asyncio.Event()
        self.times = 0

    async def models(self) -> tuple[ModelInfo, ...]:
        self.asked.set()
        self.times += 1
        return await super().models()


def directory(*backends: FakeBackend) -> BackendDirectory:
    members = [Member(f"b{i}", backend) for i, backend in enumerate(backends)]
    return BackendDirectory(members, local_pace=EAGER)


async def test_the_first_member_goes_first_and_one_that_is_away_last() -> None:
    first, second = FakeBackend(), FakeBackend()
    routes = directory(first, second)
    assert (await routes.route("fake")).member.name == "b0"
    first.error = AWAY
    await routes.refresh()
    assert (await routes.route("fake")).member.name == "b1"


async def test_an_unknown_model_names_those_there_are() -> None:
    routes = directory(FakeBackend(), FakeBackend(error=AWAY))
    with pytest.raises(ModelNotFound, match=r"(?s)'nobody'.*fake.*b1 is away: It is away") as refused:
        await routes.route("nobody")
    assert refused.value.param == "model"


async def test_nobody_to_ask_is_unavailable_and_not_unknown() -> None:
    with pytest.raises(BackendUnavailable, match="It is away"):
        await directory(FakeBackend(error=AWAY)).route("fake")


async def test_what_does_not_stand_in_is_asked_by_its_name_alone() -> None:
    away, app = FakeBackend(error=AWAY), FakeBackend(models=(model_info("app:helper"),))
    routes = BackendDirectory([Member("b0", away), Member("apps", app, stands_in=False)], local_pace=EAGER)
    assert (await routes.route("app:helper")).member.name == "apps"
    assert routes.first("chat") is None
    with pytest.raises(BackendUnavailable, match="b0"):
        await ModelNames(routes, {}, None).route("deepseek-chat")
    away.error = None
    await routes.refresh()
    assert routes.first("chat") == "fake"


async def test_a_backend_that_hangs_harms_no_other() -> None:
    routes = directory(HangingBackend(), FakeBackend())
    assert (await routes.route("fake")).member.name == "b1"
    assert routes.problems() == {"b0": "did not answer within 0.05 s"}


async def test_a_caller_in_a_hurry_calls_nobody_away() -> None:
    hanging = BackendDirectory([Member("slow", HangingBackend())])
    await hanging.refresh(0.01)
    assert hanging.problems() == {"slow": "has not been asked yet"}


async def test_a_remote_server_is_not_asked_again_while_its_answer_is_fresh() -> None:
    backend = AskedBackend()
    routes = BackendDirectory([Member("cloud", backend, "openai")])
    for _ in range(3):
        await routes.refresh()
        with pytest.raises(ModelNotFound):
            await routes.route("nobody")
    assert backend.times == 1


async def test_models_of_a_backend_that_went_away_stay_known_as_failed() -> None:
    backend = FakeBackend()
    routes = directory(backend)
    await routes.refresh()
    backend.error = AWAY
    await routes.refresh()
    assert [(info.state, info.detail) for _, info in routes.served()] == [("failed", "It is away.")]
    assert routes.find("fake") is not None


async def test_versions_are_named_with_an_at() -> None:
    routes = directory(FakeBackend(models=(model_info("m", "1"), model_info("m", "2"))))
    route = await routes.route("m@2")
    assert (route.model.version, route.name) == ("2", "m@2")


async def test_a_loading_model_says_when_to_come_again() -> None:
    loading = msgspec.structs.replace(model_info("m"), state="loading")
    with pytest.raises(BackendUnavailable, match="loading") as refused:
        await directory(FakeBackend(models=(loading,))).route("m")
    assert refused.value.retry_after_s


async def test_a_missing_capability_is_refused() -> None:
    route = await directory(FakeBackend()).route("fake")
    with pytest.raises(InvalidRequest, match="cannot do fim"):
        route.require("fim")


async def test_all_who_serve_a_model_stand_in_the_members_order_without_those_who_are_away() -> None:
    backends = [FakeBackend() for _ in range(3)]
    routes = directory(*backends)

    def names() -> list[str]:
        serving = routes.serving("fake")
        return [] if serving is None else [route.member.name for route in serving.routes]

    assert names() == []
    await routes.refresh()
    assert names() == ["b0", "b1", "b2"]
    backends[1].error = AWAY
    await routes.refresh()
    assert names() == ["b0", "b2"]
    backends[0].error = backends[2].error = AWAY
    await routes.refresh()
    assert names() == ["b0", "b1", "b2"]
    backends[1].error = None
    await routes.refresh()
    assert names() == ["b1"]


async def test_what_is_known_is_the_same_object_until_something_changes() -> None:
    one, other = FakeBackend(models=(model_info("m"),)), FakeBackend(models=(model_info("n"),))
    routes = directory(one, other)
    await routes.refresh()
    m, n = routes.serving("m"), routes.serving("n")
    figures = msgspec.structs.replace(model_info("m"), stats=EngineStats(running=3))
    one.offer(figures)
    await routes.refresh()
    assert routes.serving("m") is m
    assert routes.served()[0][1].stats.running == 3
    one.error = AWAY
    await routes.refresh()
    assert routes.serving("m") is not m
    assert routes.serving("n") is n


async def test_a_model_that_is_served_no_more_is_forgotten() -> None:
    backend = FakeBackend(models=(model_info("m"), model_info("n")))
    routes = directory(backend, FakeBackend(models=(model_info("n"),)))
    await routes.refresh()
    assert routes.first("chat") == "m"
    backend.offer(model_info("o"))
    await routes.refresh()
    assert routes.serving("m") is None
    assert routes.first("chat") == "o"
    assert [route.member.name for route in routes.serving("n").routes] == ["b1"]  # pyright: ignore[reportOptionalMemberAccess]
    assert [info.id for _, info in routes.served()] == ["o", "n"]


async def test_a_model_that_becomes_ready_is_found_and_goes_first() -> None:
    backend = FakeBackend(models=(msgspec.structs.replace(model_info("m"), state="loading"), model_info("n")))
    routes = directory(backend)
    await routes.refresh()
    assert (routes.first("chat"), routes.serving("m").routes) == ("n", ())  # pyright: ignore[reportOptionalMemberAccess]
    backend.offer(model_info("m"), model_info("n"))
    await routes.refresh()
    assert routes.first("chat") == "m"
    assert (await routes.route("m")).model.state == "ready"


async def test_a_ready_version_goes_before_one_that_is_not() -> None:
    failed = msgspec.structs.replace(model_info("m", "1"), state="failed")
    routes = directory(FakeBackend(models=(failed, model_info("m", "2"))))
    assert (await routes.route("m")).model.version == "2"


async def test_every_answer_and_every_silence_is_told() -> None:
    told: list[tuple[str, bool]] = []
    backend = FakeBackend()
    routes = BackendDirectory(
        [Member("b", backend)], local_pace=EAGER, on_heard=lambda member, away: told.append((member.name, away))
    )
    await routes.refresh()
    backend.error = AWAY
    await routes.refresh()
    assert told == [("b", False), ("b", True)]


async def test_watching_notices_a_backend_that_comes() -> None:
    backend = AskedBackend(error=AWAY)
    routes = directory(backend)
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        watch = group.create_task(routes.watch())
        await backend.asked.wait()
        assert routes.problems() == {"b0": "It is away."}
        backend.error = None
        backend.asked.clear()
        await backend.asked.wait()
        assert routes.problems() == {}
        watch.cancel()


async def test_closing_closes_every_backend() -> None:
    backends = FakeBackend(), FakeBackend()
    await directory(*backends).close()
    assert all(backend.closed for backend in backends)


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("deepseek-chat", "cloudy"),
        ("deepseek-flash", "deepseek-flash"),
        ("gpt-x", "own"),
        ("reason", "cloudy"),
        ("own", "own"),
    ],
)
async def test_names_mean_models(asked: str, meant: str) -> None:
    own = Member("own", FakeBackend(models=(model_info("own"),)))
    cloud = Member("cloud", FakeBackend(models=(model_info("cloudy"), model_info("deepseek-flash"))), "deepseek")
    names = ModelNames(BackendDirectory([own, cloud]), {"gpt-x": "own", "reason": "deepseek-reasoner"}, None)
    assert (await names.route(asked)).model.id == meant


async def test_the_default_model_is_the_operators() -> None:
    routes = directory(FakeBackend(models=(model_info("a"), model_info("b"))))
    assert (await ModelNames(routes, {}, "b").route("deepseek-v4-pro")).model.id == "b"
