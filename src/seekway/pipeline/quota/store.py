"""Where limits are counted: in this process, or together with others."""

from __future__ import annotations

import asyncio
from typing import Protocol

from seekway.pipeline.quota.buckets import Plan


class QuotaStore(Protocol):
    def admit(self, plan: Plan, tokens: int, /) -> asyncio.Future[None] | None:
        """Take one request and hold ``tokens`` from every bucket of the plan, or take nothing and raise ``RateLimited``.

        What is admitted must be settled, once. Afterwards the buckets' levels are those of this moment, as far as they are known here.
        A future that is cancelled before its verdict has taken nothing in the end.
        """
        ...

    def settle(self, plan: Plan, held: int, used: int, /) -> None:
        """The request is over: give back its slots and the ``held`` tokens, take the ``used`` ones."""
        ...
