"""A backend's name and the addresses it stands for, known on while the name service is away.

RFC 8767 ("serving stale data"): an address that was good a moment ago is most often good still, and better than none.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable, Sequence

from structlog.typing import FilteringBoundLogger

Address = tuple[
    socket.AddressFamily, socket.SocketKind, int, str, tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]
]
"""As ``getaddrinfo`` gives it: family, kind, protocol, canonical name, address."""

Lookup = Callable[[str, int], Awaitable[Sequence[Address]]]
"""The addresses of a host and port; raises ``OSError`` (``socket.gaierror``) where the name service has none or is away."""

FRESH_S = 10.0
"""How long an answer is believed unasked, so that a burst of connections is not a burst of questions."""
PATIENCE_S = 1.0
"""How long somebody who wants to connect waits for a newer answer while there is an older one."""
KEPT_S = 86_400.0
"""How old an answer may become that the name service does not renew (RFC 8767 recommends one to three days)."""


async def ask_system(host: str, port: int) -> Sequence[Address]:
    """The machine's own resolver, in a thread."""
    return await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)


class Names:
    """The addresses of one host. At most one question is under way, whoever waits for it and however long it takes.

    ``log`` hears once when the name service fails for a name that is known, and once when it answers again. ``clock`` gives seconds.
    """

    def __init__(
        self,
        host: str,
        port: int,
        log: FilteringBoundLogger,
        lookup: Lookup = ask_system,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._host = host
        self._port = port
        self._log = log
        self._lookup = lookup
        self._clock = clock
        self._known: Sequence[Address] = ()
        self._fresh_until = self._good_until = 0.0
        self._failing = False
        self._asking: asyncio.Task[None] | None = None

    async def addresses(self) -> Sequence[Address]:
        """Those known, asked for again where they are old; raises ``OSError`` where there are none or none that may still be used."""
        now = self._clock()
        if now < self._fresh_until:
            return self._known
        asking = self._ask()
        if not self._known or now >= self._good_until:
            # Several may wait, and one of them going away must not take the answer from the others.
            await asyncio.shield(asking)
            return self._known
        if not self._failing:
            _, late = await asyncio.wait([asking], timeout=PATIENCE_S)
            if late:
                # From here on nobody waits for it any more.
                self._missed(f"no answer within {PATIENCE_S:g} s")
        return self._known

    def doubt(self) -> None:
        """Nobody answered at these addresses: ask again before they are used the next time."""
        if not self._failing:
            self._fresh_until = 0.0

    async def close(self) -> None:
        """Ask no more."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait([self._asking])

    def _ask(self) -> asyncio.Task[None]:
        if self._asking is None:
            # Held here and ended by close: it outlives whoever began it.
            self._asking = asyncio.get_running_loop().create_task(self._renew())
            self._asking.add_done_callback(self._asked)
        return self._asking

    def _asked(self, task: asyncio.Task[None]) -> None:
        self._asking = None
        if not task.cancelled():
            # It is whoever waits for it that raises it; that nobody does is no mistake.
            task.exception()

    async def _renew(self) -> None:
        try:
            known = await self._lookup(self._host, self._port)
        except OSError as error:
            now = self._clock()
            if not self._known or now >= self._good_until:
                raise
            self._fresh_until = now + FRESH_S
            self._missed(str(error))
            return
        now = self._clock()
        self._known, self._fresh_until, self._good_until = known, now + FRESH_S, now + KEPT_S
        if self._failing:
            self._failing = False
            self._log.info("backend_name_resolved", host=self._host)

    def _missed(self, reason: str) -> None:
        if not self._failing:
            self._failing = True
            self._log.warning(
                "backend_name_not_resolved",
                host=self._host,
                reason=reason,
                addresses=len(self._known),
                usable_s=round(self._good_until - self._clock()),
            )
