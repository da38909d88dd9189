"""One timer for everything that only needs to be looked at now and then."""

from __future__ import annotations

import asyncio
from typing import Generic, Protocol, TypeVar


class Swept(Protocol):
    def sweep(self, now: float) -> None:
        """Look whether something is due; ``now`` is on the loop's clock. Must not raise."""
        ...


Member = TypeVar("Member", bound=Swept)


class Sweep(Generic[Member]):
    """Calls every member each ``interval_s`` while there is one: a timer a process in place of several a request.

    What a member waits for is seen at most ``interval_s`` late.
    """

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._members: set[Member] = set()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, member: Member) -> None:
        self._members.add(member)
        if self._timer is None:
            self._arm()

    def discard(self, member: Member) -> None:
        self._members.discard(member)

    def members(self) -> tuple[Member, ...]:
        return tuple(self._members)

    def _arm(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._interval_s, self._tick)

    def _tick(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        # A copy: whoever is due leaves the set.
        for member in tuple(self._members):
            member.sweep(now)
        if self._members and self._timer is None:
            self._arm()
