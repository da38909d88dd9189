"""Endpoints as choosing sees them, set by the test."""

from __future__ import annotations

from seekway.core.types import ModelInfo
from seekway.pipeline.directory import Member, Route
from seekway.pipeline.routing.latency import PeakEwma
from seekway.pipeline.routing.pool import Choice, Pool
from tests.fakes.backend import FakeBackend, model_info


class FakeEndpoint:
    """``share`` is what slow start leaves of the weight; ``up`` is whether it is available."""

    def __init__(self, member: Member) -> None:
        self.member = member
        self.name = member.name
        self.region, self.tags, self.tier, self.cost = member.region, member.tags, member.tier, member.cost
        self.outstanding = 0
        self.latency = PeakEwma(10.0)
        self.up = True
        self.share = 1.0

    def weight(self, now: float) -> float:
        return self.member.weight * self.share

    def available(self, now: float) -> bool:
        return self.up


def fake_endpoints(*members: Member) -> dict[str, FakeEndpoint]:
    return {member.name: FakeEndpoint(member) for member in members}


def members(
    count: int, *, weights: tuple[float, ...] = (), tiers: tuple[int, ...] = (), costs: tuple[float, ...] = ()
) -> list[Member]:
    """``b0``, ``b1`` and so on; of ``weights``, ``tiers`` and ``costs`` those that are not given are as in the settings."""
    backend = FakeBackend()
    return [
        Member(
            f"b{at}",
            backend,
            "openai",
            weight=weights[at] if weights else 1.0,
            tier=tiers[at] if tiers else 0,
            cost=costs[at] if costs else 1.0,
        )
        for at in range(count)
    ]


def pool_of(endpoints: dict[str, FakeEndpoint], model: ModelInfo | None = None) -> Pool[FakeEndpoint]:
    info = model or model_info("fake")
    return Pool(
        info.id,
        [
            Choice(endpoint, Route(endpoint.member, info, info.id), endpoint.member.weight)
            for endpoint in endpoints.values()
        ],
    )
