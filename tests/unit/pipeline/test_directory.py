"""The directory knows who serves what, whoever is away."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from seekway.core.errors import BackendUnavailable, InvalidRequest, ModelNotFound, SeekwayError
from seekway.core.types import ModelInfo
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
