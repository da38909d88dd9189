"""What answers requests now: swapped whole when the configuration changes, while running requests keep what they began with."""

from __future__ import annotations

from seekway.core.errors import Overloaded
from seekway.gateway.model_call import CallServices
from seekway.gateway.operations.table import ModelRoute, fast_routes
from seekway.gateway.request_ledger import RequestLedger
from seekway.gateway.sweep import Sweep

_CONNECTIONS_S = 1.0


class Front:
    """``services`` is read once at the beginning of each request; ``fast`` is by a request's first line."""

    def __init__(self, services: CallServices, routes: tuple[ModelRoute, ...], ledger: RequestLedger) -> None:
        self.services = services
        self.ledger = ledger
        self.connections = Sweep(_CONNECTIONS_S)
        self.fast = fast_routes(routes)

    def stop(self) -> None:
        """End what still runs when the time to drain is over."""
        self.services.end_calls(Overloaded("This gateway is stopping; send the request again.", retry_after_s=1))
