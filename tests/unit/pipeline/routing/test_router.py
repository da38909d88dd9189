"""A request's name and the rules say where it may go, and the answer is kept until something changes."""

from __future__ import annotations

from random import Random

import msgspec
import pytest

from seekway.core.errors import BackendUnavailable, InvalidRequest, ModelNotFound
from seekway.core.sections.routing import RouteSettings, RoutingSettings
from seekway.core.types import GenerateRequest, ModelInfo
from seekway.observability.record import RequestRecord
from seekway.pipeline.caller import Caller
from seekway.pipeline.directory import BackendDirectory, Member, Pace
from seekway.pipeline.exchange import Exchange
from seekway.pipeline.names import ModelNames
from seekway.pipeline.routing.router import Router
from seekway.pipeline.routing.selection import Selection
from tests.fakes.backend import FakeBackend, model_info
from tests.fakes.endpoint import FakeEndpoint, fake_endpoints

EAGER = Pace(settled_s=0, unsettled_s=0, fresh_s=0, timeout_s=1)
AWAY = BackendUnavailable("It is away.")


def backend(*models: str) -> FakeBackend:
    return FakeBackend(models=[model_info(name) for name in models])


class House:
    """Two servers of our own in Europe, one of them big, and a cloud in Asia."""

    def __init__(self, *routes: RouteSettings, settings: RoutingSettings | None = None) -> None:
        self.small, self.big, self.cloud = backend("m", "n"), backend("m"), backend("m", "deepseek-chat")
        members = (
            Member("small", self.small, "openai", region="eu", tags=("own",)),
            Member("big", self.big, "openai", region="eu", tags=("own", "gpu"), weight=3.0),
            Member("cloud", self.cloud, "deepseek", region="asia", tier=1),
        )
        self.directory = BackendDirectory(members, local_pace=EAGER, remote_pace=EAGER)
        names = ModelNames(self.directory, {"alias": "m"}, None)
        self.router = Router[FakeEndpoint](
            self.directory, names, fake_endpoints(*members), settings or RoutingSettings(), routes, Random(1)
        )

    async def up(self) -> House:
        await self.directory.refresh()
        return self


def exchange(tenant: str = "") -> Exchange:
    return Exchange(RequestRecord("r"), Caller("key", tenant))


def names(selection: Selection[FakeEndpoint] | None) -> list[str]:
    return [] if selection is None else [choice.endpoint.name for choice in selection.pool.choices]


async def test_everybody_who_serves_the_model_is_in_the_pool_in_order() -> None:
    house = await House().up()
    assert names(house.router.select("alias", exchange())) == ["small", "big", "cloud"]
    assert names(house.router.select("n", exchange())) == ["small"]
    assert names(house.router.select("m@1", exchange())) == ["small", "big", "cloud"]


async def test_a_selection_is_made_once_and_again_only_after_a_change() -> None:
    house = await House().up()
    first = house.router.select("m", exchange())
    await house.directory.refresh()
    assert house.router.select("m", exchange()) is first
    house.big.error = AWAY
    await house.directory.refresh()
    second = house.router.select("m", exchange())
    assert names(second) == ["small", "cloud"]
    house.big.error = None
    await house.directory.refresh()
    assert names(house.router.select("m", exchange())) == ["small", "big", "cloud"]


async def test_a_pick_is_one_of_the_pool_with_its_route() -> None:
    house = await House().up()
    selection = house.router.select("m@1", exchange())
    assert selection is not None
    choice = selection.pick(GenerateRequest("r", "m@1"), exchange(), 1.0, ("small", "cloud"))
    assert choice is not None
    assert (choice.endpoint.name, choice.route.member.name, choice.route.name) == ("big", "big", "m@1")


@pytest.mark.parametrize(
    ("route", "asked", "expected"),
    [
        (RouteSettings("r", to_backends=("cloud",)), "m", ["cloud"]),
        (RouteSettings("r", to_tags=("own",)), "m", ["small", "big"]),
        (RouteSettings("r", to_regions=("eu",), to_tags=("gpu",)), "m", ["big"]),
        (RouteSettings("r", to_model="n"), "m", ["small"]),
        (RouteSettings("r", when_alias=("gpt-4o",), to_model="alias", to_tags=("gpu",)), "gpt-4o", ["big"]),
    ],
)
async def test_a_rule_sends_to_some_backends_or_another_model(
    route: RouteSettings, asked: str, expected: list[str]
) -> None:
    house = await House(route).up()
    selection = house.router.select(asked, exchange())
    assert selection is not None
    assert (names(selection), selection.rule) == (expected, "r")


async def test_one_tenants_deepseek_chat_goes_to_the_own_server() -> None:
    own = RouteSettings("own", when_tenant=("a",), when_model=("deepseek-chat",), to_model="m", to_tags=("own",))
    house = await House(own).up()
    assert names(house.router.select("deepseek-chat", exchange("a"))) == ["small", "big"]
    assert names(house.router.select("deepseek-chat", exchange("b"))) == ["cloud"]
    assert names(house.router.select("m", exchange("a"))) == ["small", "big", "cloud"]


async def test_a_rule_has_its_strategy_and_the_others_have_the_settings() -> None:
    settings = RoutingSettings(strategy="tiers")
    house = await House(RouteSettings("r", when_tenant=("a",), strategy="weighted"), settings=settings).up()
    chosen = [house.router.select("m", exchange(tenant)) for tenant in ("a", "b")]
    assert [type(selection.strategy).__name__ for selection in chosen if selection] == ["Weighted", "Tiers"]


async def test_a_rule_that_leaves_nobody_says_so_by_name() -> None:
    house = await House(RouteSettings("gpus", to_tags=("gpu",))).up()
    house.big.error = AWAY
    await house.directory.refresh()
    assert house.router.select("m", exchange()) is None
    with pytest.raises(BackendUnavailable, match="The route gpus allows big for the model m") as refused:
        await house.router.wait("m", exchange())
    assert refused.value.retry_after_s


async def test_before_anybody_has_answered_waiting_asks_them() -> None:
    house = House(RouteSettings("r", when_alias=("gpt-4o",), to_model="n"))
    assert house.router.select("m", exchange()) is None
    assert names(await house.router.wait("m", exchange())) == ["small", "big", "cloud"]
    assert names(await house.router.wait("gpt-4o", exchange())) == ["small"]
    with pytest.raises(ModelNotFound, match="nobody"):
        await house.router.wait("nobody", exchange())


async def test_a_loading_model_is_waited_for_by_the_client() -> None:
    house = House()
    house.small = FakeBackend(models=[msgspec.structs.replace(model_info("l"), state="loading")])
    directory = BackendDirectory([Member("one", house.small)], local_pace=EAGER)
    router = Router[FakeEndpoint](
        directory,
        ModelNames(directory, {}, None),
        fake_endpoints(Member("one", house.small)),
        RoutingSettings(),
        (),
        Random(1),
    )
    await directory.refresh()
    assert router.select("l", exchange()) is None
    with pytest.raises(BackendUnavailable, match="loading"):
        await router.wait("l", exchange())


async def test_only_those_that_can_are_asked() -> None:
    def able(*capabilities: str) -> ModelInfo:
        return msgspec.structs.replace(model_info("m"), capabilities=capabilities)

    members = (
        Member("chat", FakeBackend(models=[able("chat")])),
        Member("both", FakeBackend(models=[able("chat", "fim")])),
    )
    directory = BackendDirectory(members, local_pace=EAGER)
    names_ = ModelNames(directory, {}, None)
    router = Router[FakeEndpoint](directory, names_, fake_endpoints(*members), RoutingSettings(), (), Random(1))
    selection = await router.wait("m", exchange())
    assert selection.able("chat") is selection
    assert names(selection.able("fim")) == ["both"]
    assert selection.able("fim").pool is selection.able("fim").pool
    with pytest.raises(InvalidRequest, match="cannot do rerank"):
        selection.able("rerank")
