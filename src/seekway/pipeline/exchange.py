"""What travels beside a request through the stages."""

from __future__ import annotations

from dataclasses import dataclass

from seekway.core.errors import InternalError
from seekway.observability.record import RequestRecord
from seekway.pipeline.directory import Route


@dataclass(slots=True)
class Exchange:
    """One request on its way. ``route`` is set by the stage that resolves the model's name.

    ``trial`` marks a text run through the stages for show: nothing of it is counted.
    """

    record: RequestRecord
    route: Route | None = None
    trial: bool = False

    @property
    def resolved(self) -> Route:
        if self.route is None:
            raise InternalError("A pipeline stage ran before the model's name was resolved; put resolve_alias first.")
        return self.route

    def take(self, route: Route) -> None:
        """Go by ``route`` and let the record say so."""
        self.route = route
        self.record.model = route.model.id
        self.record.backend = route.member.name
