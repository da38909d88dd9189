"""The switch that stops new work while running work finishes."""

from __future__ import annotations

import asyncio

from seekway.core.errors import Overloaded


class Drain:
    """Counts the requests being answered; :meth:`begin` refuses new model requests from then on."""

    def __init__(self) -> None:
        self.draining = False
        self.in_flight = 0
        self._idle: asyncio.Future[None] | None = None

    def begin(self) -> None:
        self.draining = True

    def check(self) -> None:
        """Raises ``Overloaded`` while draining."""
        if self.draining:
            raise Overloaded("This gateway is stopping; send the request again.", retry_after_s=1)

    def enter(self) -> None:
        """A request is being answered, until :meth:`leave`."""
        self.in_flight += 1

    def leave(self) -> None:
        self.in_flight -= 1
        if not self.in_flight and self._idle is not None and not self._idle.done():
            self._idle.set_result(None)

    async def wait_idle(self) -> None:
        """Until no request is being answered; bound it with ``asyncio.timeout``."""
        while self.in_flight:
            self._idle = asyncio.get_running_loop().create_future()
            await self._idle
