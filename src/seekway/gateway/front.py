"""What answers requests now: swapped whole when the configuration changes, while running requests keep what they began with."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from structlog.typing import FilteringBoundLogger

from seekway.core.errors import Overloaded
from seekway.gateway.model_call import CallServices
from seekway.gateway.operations.table import ModelRoute, fast_routes
from seekway.gateway.request_ledger import RequestLedger
from seekway.gateway.sweep import Sweep, Swept
from seekway.knowledge.knowledge_base import KnowledgeBase

_CONNECTIONS_S = 1.0


class Front:
    """``services`` is read once at the beginning of each request; ``fast`` is by a request's first line."""

    def __init__(
        self,
        services: CallServices,
        routes: tuple[ModelRoute, ...],
        ledger: RequestLedger,
        log: FilteringBoundLogger,
    ) -> None:
        self.services = services
        self.routes = routes
        self.ledger = ledger
        self.log = log
        self.knowledge: KnowledgeBase | None = None
        """Set before serving where there is one."""
        self.connections: Sweep[Swept] = Sweep(_CONNECTIONS_S)
        self.fast = fast_routes(routes)
        self.head_defaults: list[tuple[bytes, bytes]] = []
        self.heads: dict[tuple[int, str], bytes] = {}
        """The first lines of answers by status and media type, with the server's headers ``head_defaults``."""
        self._group: asyncio.TaskGroup | None = None
        self._watch: asyncio.Task[None] | None = None
        self._retired: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def serving(self) -> AsyncGenerator[None]:
        """Watch the backends; on leaving, end what still runs and close them."""
        async with asyncio.TaskGroup() as self._group:
            self._watch = self._group.create_task(self.services.pipeline.routes.watch())
            try:
                yield
            finally:
                self._watch.cancel()
                for task in self._retired:
                    task.cancel()
                stopping = Overloaded("This gateway is stopping; send the request again.", retry_after_s=1)
                self.services.end_calls(stopping)
                self.services.pipeline.dispatcher.close()
                await self.services.pipeline.routes.close()
                self.ledger.flush()

    def swap(self, services: CallServices) -> None:
        """Answer new requests with ``services``; those under way keep the old ones, whose backends are closed after them where nobody else uses them.

        Only while :meth:`serving`.
        """
        old, self.services = self.services, services
        if self._group is None or self._watch is None:
            return
        self._watch.cancel()
        self._watch = self._group.create_task(services.pipeline.routes.watch())
        retired = self._group.create_task(self._retire(old))
        self._retired.add(retired)
        retired.add_done_callback(self._retired.discard)

    async def _retire(self, old: CallServices) -> None:
        try:
            await old.idle()
        except asyncio.CancelledError:
            old.end_calls(Overloaded("This gateway is stopping; send the request again.", retry_after_s=1))
        old.pipeline.dispatcher.close()
        kept = {member.backend for member in self.services.pipeline.routes.members}
        gone = [member.backend for member in old.pipeline.routes.members if member.backend not in kept]
        await asyncio.gather(*(backend.close() for backend in gone))
