"""The first rule that fits is taken, and a rule that cannot be followed is refused with its name and field."""

from __future__ import annotations

from random import Random

import pytest

from seekway.core.errors import ConfigError
from seekway.core.sections.routing import RouteSettings, RoutingSettings
from seekway.observability.record import RequestRecord
from seekway.pipeline.caller import Caller
from seekway.pipeline.exchange import Exchange, Headers
from seekway.pipeline.routing.rules import Rules
from seekway.pipeline.routing.strategies import make_strategies
from tests.fakes.endpoint import FakeEndpoint, fake_endpoints, members


def rules(*routes: RouteSettings, region: str = "") -> Rules[FakeEndpoint]:
    endpoints = tuple(fake_endpoints(*members(3)).values())
    return Rules(routes, endpoints, make_strategies(RoutingSettings(), Random(1)), region, Random(1))


def rule(name: str, **fields: object) -> RouteSettings:
    return RouteSettings(name, **({"strategy": "weighted"} | fields))  # pyright: ignore[reportArgumentType]


def exchange(tenant: str = "", tags: tuple[str, ...] = (), **headers: str) -> Exchange:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Exchange(RequestRecord("r"), Caller("key", tenant, tags=tags), Headers(raw))


def taken(
    compiled: Rules[FakeEndpoint], asked: str, model: str | None = None, of: Exchange | None = None
) -> str | None:
    found = compiled.match(asked, model or asked, of or exchange())
    return None if found is None else found.name


Asked = tuple[str, str, Exchange]
"""The name asked for, the model it means, the rest of the request."""

CONDITIONS: list[tuple[dict[str, object], Asked, Asked]] = [
    ({"when_model": ("m", "n")}, ("m", "m", exchange()), ("x", "x", exchange())),
    ({"when_model": ("deepseek-chat",)}, ("deepseek-chat", "own", exchange()), ("own", "own", exchange())),
    ({"when_model": ("own",)}, ("deepseek-chat", "own", exchange()), ("deepseek-chat", "other", exchange())),
    ({"when_alias": ("gpt",)}, ("gpt", "own", exchange()), ("own", "own", exchange())),
    ({"when_tenant": ("a", "b")}, ("m", "m", exchange("b")), ("m", "m", exchange())),
    ({"when_tag": ("beta",)}, ("m", "m", exchange(tags=("x", "beta"))), ("m", "m", exchange(tags=("x",)))),
    (
        {"when_header": {"X-Seekway-Test": "1"}},
        ("m", "m", exchange(x_seekway_test="1")),
        ("m", "m", exchange(x_seekway_test="2")),
    ),
    ({"when_header": {"x-any": "*"}}, ("m", "m", exchange(x_any="anything")), ("m", "m", exchange(x_other="anything"))),
    ({"when_region": ("eu",)}, ("m", "m", exchange(x_seekway_region="eu")), ("m", "m", exchange())),
    (
        {"when_tenant": ("a",), "when_model": ("m",), "when_tag": ("t",), "when_header": {"x-h": "1"}},
        ("m", "m", exchange("a", ("t",), x_h="1")),
        ("m", "m", exchange("a", ("t",))),
    ),
    ({"when_tenant": ("a",), "when_model": ("m",)}, ("m", "m", exchange("a")), ("m", "m", exchange("b"))),
    ({"when_alias": ("m",), "when_tag": ("t",)}, ("m", "m", exchange(tags=("t",))), ("m", "m", exchange())),
]


@pytest.mark.parametrize(("condition", "fits", "not_fits"), CONDITIONS)
def test_all_conditions_must_hold(condition: dict[str, object], fits: Asked, not_fits: Asked) -> None:
    compiled = rules(rule("one", **condition))
    assert taken(compiled, *fits) == "one"
    assert taken(compiled, *not_fits) is None


def test_a_rule_without_conditions_takes_everything() -> None:
    assert taken(rules(rule("all")), "anything") == "all"


def test_the_first_in_the_file_is_taken_whatever_it_is_found_by() -> None:
    routes = [
        rule("header", when_header={"x-h": "*"}),
        rule("tag", when_tag=("t", "u")),
        rule("tenant", when_tenant=("a",)),
        rule("model", when_model=("m",)),
        rule("alias", when_alias=("m",)),
        rule("all"),
    ]
    everything = exchange("a", ("u", "t"), x_h="1")
    for at, first in enumerate(routes):
        assert taken(rules(*routes[at:]), "m", None, everything) == first.name
        assert taken(rules(*reversed(routes[: at + 1])), "m", None, everything) == first.name


def test_the_gateways_region_is_that_of_requests_that_name_none() -> None:
    compiled = rules(rule("eu", when_region=("eu",)), region="eu")
    assert taken(compiled, "m") == "eu"
    assert taken(compiled, "m", None, exchange(x_seekway_region="us")) is None


def test_a_percentage_is_drawn_once_and_the_others_go_on() -> None:
    compiled = rules(rule("canary", percent=5.0, when_tag=("t", "u")), rule("all"))
    found = [taken(compiled, "m", None, exchange("", ("t", "u"))) for _ in range(20_000)]
    assert found.count("canary") == pytest.approx(1000, abs=120)
    assert found.count("all") == 20_000 - found.count("canary")


@pytest.mark.parametrize(
    ("route", "said"),
    [
        (rule("r", to_backends=("b0", "nobody")), "routes: r: to_backends: there is no backend 'nobody'"),
        (rule("r", to_tags=("gpu",)), "routes: r: to_tags: there is no backend with the tag 'gpu'"),
        (rule("r", to_regions=("mars",)), "routes: r: to_regions: there is no backend in the region 'mars'"),
        (rule("r", strategy=None), "routes: r: strategy: is not set"),
        (rule("r", when_header={"x y:": "1"}), "routes: r: when_header"),
        (rule("r", to_backends=("b0",), to_tags=("t",)), "routes: r: to_tags"),
    ],
)
def test_a_bad_rule_is_refused_with_its_name_and_field(route: RouteSettings, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        rules(rule("fine"), route)
    assert refused.value.message.startswith(said)


def test_a_name_that_stands_twice_is_refused() -> None:
    with pytest.raises(ConfigError, match="routes: r: name: stands twice"):
        rules(rule("r"), rule("r"))
