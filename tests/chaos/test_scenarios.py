"""The short form of ``make chaos``: every fault that is played in seconds, and every promise kept."""

from __future__ import annotations

import pytest

from tests.chaos.play import play
from tests.chaos.report import table
from tests.chaos.scenario import Scenario
from tests.chaos.scenarios.all import SCENARIOS

pytestmark = pytest.mark.timeout(240)


@pytest.mark.parametrize(
    "scenario", [pytest.param(scenario, id=scenario.name) for scenario in SCENARIOS if scenario.short]
)
async def test_the_gateway_keeps_its_promise_through(scenario: Scenario) -> None:
    result = await play(scenario, short=True)
    if result.verdict == "skipped":
        pytest.skip(result.reasons[0])
    assert result.verdict == "held", "\n" + table([result])
