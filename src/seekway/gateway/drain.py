"""The switch that stops new work while running work finishes."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager

from seekway.core.errors import Overloaded


class Drain:
    """Counts the HTTP requests being answered; :meth:`begin` refuses new model requests from then on."""

    def __init__(self) -> None:
        self.draining = False
        self.in_flight = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def begin(self) -> None:
        self.draining = True

    def check(self) -> None:
        """Raises ``Overloaded`` while draining."""
        if self.draining:
            raise Overloaded("This gateway is stopping; send the request again.", retry_after_s=1)

    @contextmanager
    def request(self) -> Generator[None]:
        self.in_flight += 1
        self._idle.clear()
        try:
            yield
        finally:
            self.in_flight -= 1
            if not self.in_flight:
                self._idle.set()

    async def wait_idle(self) -> None:
        """Until no request is being answered; bound it with ``asyncio.timeout``."""
        await self._idle.wait()
