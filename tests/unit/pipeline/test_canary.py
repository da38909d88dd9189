"""A canary whose backends fail gives its requests back, and the record, the answer's head and the bill say so."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest
import structlog

from seekway.core.caller import Caller
from seekway.core.errors import BackendUnavailable, InvalidRequest, SeekwayError
from seekway.core.sections.limits import BudgetRule, QuotaSettings
from seekway.core.sections.prices import PriceSettings
from seekway.core.sections.routing import RouteSettings
from seekway.core.settings import Settings
from seekway.core.types import EmbedRequest, EmbedResult, Finish, GenerateRequest, Message, TextDelta, Usage
from seekway.observability.record import RequestRecord
from seekway.pipeline.assembly import build_pipeline
from seekway.pipeline.directory import Member
from seekway.pipeline.exchange import Exchange
from seekway.pipeline.lasting_parts import LastingParts
from seekway.pipeline.pipeline import Pipeline
from tests.fakes.backend import FakeBackend, model_info
from tests.fakes.sink import RecordingSink

DOWN = BackendUnavailable("The canary is down.")
CANARY = RouteSettings("the canary", when_model=("old",), percent=99.99, to_model="new")
OTHERS = RouteSettings("gpus", when_model=("old",), to_backends=("main",))


class House:
    """``main`` serves ``old`` and ``canary`` serves ``new``, which fails with ``error`` after ``begun`` tokens."""

    def __init__(
        self, *routes: RouteSettings, error: SeekwayError = DOWN, begun: int = 0, folder: Path | None = None
    ) -> None:
        models = [msgspec.structs.replace(model_info(name), capabilities=("chat", "embed")) for name in ("old", "new")]
        said = (TextDelta("old"), Usage(10, 1), Finish("stop"))
        self.main = FakeBackend(said, models=models[:1])
        self.canary = FakeBackend((*(TextDelta("x") for _ in range(begun)), error), models=models[1:])
        self.settings = Settings(routes=routes)
        if folder is not None:
            self.settings = msgspec.structs.replace(
                self.settings,
                quota=QuotaSettings(directory=str(folder)),
                budgets=(BudgetRule(name="all", amount=100.0, currency="CNY"),),
                prices=tuple(
                    PriceSettings(models=(name,), currency="CNY", cache_hit=each, cache_miss=each, output=each)
                    for name, each in (("old", 1e5), ("new", 9e5))
                ),
            )
        self.parts = LastingParts(self.settings, structlog.get_logger())
        self.members = [Member("main", self.main, "openai"), Member("canary", self.canary, "openai")]

    async def line(self) -> Pipeline:
        line = build_pipeline(self.settings, self.members, self.parts, asyncio.get_running_loop())
        await line.routes.refresh()
        return line


async def ask(line: Pipeline, *, stream: bool = True) -> tuple[Exchange, str]:
    exchange, sink = Exchange(RequestRecord("r"), Caller("key", "shop")), RecordingSink()
    line.start(GenerateRequest("r", "old", (Message("user", "hi"),), stream=stream), exchange, sink)
    events = await asyncio.wait_for(sink.whole(), 10)
    exchange.ended()
    return exchange, "".join(event.text for event in events if isinstance(event, TextDelta))


def told(exchange: Exchange) -> tuple[str, str, str, list[bytes]]:
    record = exchange.record
    heads = [value for name, value in exchange.response_headers if name == b"x-seekway-fallback"]
    return record.fallback, record.model, record.backend, heads


@pytest.mark.parametrize("others", [(), (OTHERS,)], ids=["no rule behind it", "a rule behind it"])
async def test_a_failing_canary_gives_the_request_back(others: tuple[RouteSettings, ...]) -> None:
    house = House(CANARY, *others)
    exchange, text = await ask(await house.line())
    assert text == "old"
    assert told(exchange) == ("the canary", "old", "main", [b"the canary"])
    assert exchange.record.attempts == 2
    assert len(house.canary.requests) == 1


async def test_a_whole_answer_may_leave_it_in_its_middle_and_a_stream_may_not() -> None:
    house = House(CANARY, begun=2)
    line = await house.line()
    assert (await ask(line, stream=False))[1] == "old"
    with pytest.raises(BackendUnavailable):
        await ask(line)


async def test_a_canary_that_is_not_served_is_left_at_once() -> None:
    house = House(CANARY)
    house.members.pop()
    exchange, text = await ask(await house.line())
    assert text == "old"
    assert told(exchange) == ("the canary", "old", "main", [b"the canary"])


async def test_the_clients_own_mistake_is_told() -> None:
    with pytest.raises(InvalidRequest):
        await ask(await House(CANARY, error=InvalidRequest("No.")).line())


@pytest.mark.parametrize(
    "rule",
    [
        RouteSettings("confined", when_model=("old",), to_model="new"),
        RouteSettings("kept", when_model=("old",), percent=99.99, to_model="new", fall_back=False),
    ],
    ids=["no percentage", "switched off"],
)
async def test_a_rule_that_confines_answers_with_the_error(rule: RouteSettings) -> None:
    house = House(rule)
    with pytest.raises(BackendUnavailable):
        await ask(await house.line())
    assert not house.main.requests


async def test_a_rule_without_a_percentage_may_be_told_to_fall_back() -> None:
    rule = RouteSettings("all", when_model=("old",), to_model="new", fall_back=True)
    assert (await ask(await House(rule).line()))[1] == "old"


async def test_what_is_no_generation_falls_back_too() -> None:
    class NoVectors(FakeBackend):
        async def embed(self, request: EmbedRequest) -> EmbedResult:
            raise DOWN

    house = House(CANARY)
    house.members[1] = Member("canary", NoVectors(models=await house.canary.models()), "openai")
    exchange = Exchange(RequestRecord("r"))
    line = await house.line()
    result = await line.embed(EmbedRequest("r", "old", ("text",)), exchange)
    assert result.dimensions
    assert told(exchange)[:3] == ("the canary", "old", "main")


async def test_it_is_paid_at_the_price_of_the_model_that_answered(tmp_path: Path) -> None:
    house = House(CANARY, folder=tmp_path)
    line = await house.line()
    assert (await ask(line))[1] == "old"
    await house.parts.close()
    spent = LastingParts(house.settings, structlog.get_logger())
    again = House(CANARY, folder=tmp_path)
    again.parts = spent
    budget = msgspec.structs.replace(again.settings.budgets[0], amount=1.1)
    again.settings = msgspec.structs.replace(again.settings, budgets=(budget,))
    # Eleven tokens at 0.1 each are 1.1; at the canary's price they would be 9.9.
    with pytest.raises(SeekwayError, match="spent"):
        await ask(await again.line())
    await spent.close()
    more = House(CANARY, folder=tmp_path)
    budget = msgspec.structs.replace(more.settings.budgets[0], amount=1.2)
    more.settings = msgspec.structs.replace(more.settings, budgets=(budget,))
    assert (await ask(await more.line()))[1] == "old"
    await more.parts.close()


async def test_a_reload_keeps_the_counters_of_pools_that_are_asked_again_and_forgets_the_others() -> None:
    house = House(CANARY)
    first = await house.line()
    await ask(first)
    assert {lane.name: lane.requests for lane in first.dispatcher.lanes()} == {"new by the canary": 1, "old": 1}
    house.settings = Settings()
    second = await house.line()
    await ask(second)
    assert {lane.name: lane.requests for lane in second.dispatcher.lanes()} == {"old": 2}
    third = await house.line()
    await ask(third)
    assert {lane.name: lane.requests for lane in third.dispatcher.lanes()} == {"old": 3}
