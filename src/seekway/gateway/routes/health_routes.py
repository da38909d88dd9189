"""Health for load balancers and people, and the metrics."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec
from prometheus_client.exposition import choose_encoder
from starlette.requests import Request
from starlette.responses import Response

from seekway.core.types import ModelInfo
from seekway.gateway.authentication import ADMIN_SCOPE, METRICS_SCOPE
from seekway.gateway.front import Front
from seekway.gateway.routes.admission import admit_to_page
from seekway.observability.metrics import Metrics
from seekway.observability.worker_metrics import WorkerMetrics

_WAIT_S = 1.0

HealthStatus = Literal["ok", "loading", "unavailable", "draining"]


class Health(msgspec.Struct, frozen=True):
    """``model_version`` is ``id@version`` of the model that DeepSeek's names mean, or of the first model, None before any is known."""

    status: HealthStatus
    model_version: str | None
    backends_away: dict[str, str] = {}


class Alive(msgspec.Struct, frozen=True):
    status: Literal["ok"] = "ok"


class HealthRoutes:
    def __init__(self, front: Front, metrics: Metrics, workers: WorkerMetrics | None) -> None:
        self._front = front
        self._metrics = metrics
        self._workers = workers

    async def health(self, request: Request) -> Response:
        """200 while a model answers and the first is not loading, else 503; the body says which."""
        return await self._respond()

    async def ready(self, request: Request) -> Response:
        """200 while requests are taken, a model answers and the first is not loading, else 503."""
        return await self._respond()

    async def live(self, request: Request) -> Response:
        """200 as long as the process answers at all."""
        return Response(msgspec.json.encode(Alive()), media_type="application/json")

    async def metrics(self, request: Request) -> Response:
        """Prometheus' text format or OpenMetrics, as asked for; engines and other workers are asked for at most a second each."""
        admit_to_page(request, self._front.services, METRICS_SCOPE, ADMIN_SCOPE)
        await self._front.services.pipeline.routes.refresh(_WAIT_S)
        encode, media_type = choose_encoder(request.headers.get("accept", ""))
        told = self._metrics.registry if self._workers is None else await self._workers.collect()
        return Response(encode(told), headers={"content-type": media_type})

    async def _respond(self) -> Response:
        services = self._front.services
        routes = services.pipeline.routes
        await routes.refresh(_WAIT_S)
        models = [info for _, info in routes.served()]
        first = next((info for info in models if info.id == services.pipeline.names.default()), None)
        first = first or next(iter(models), None)
        status: HealthStatus = "draining" if services.drain.draining else _status(models, first)
        version = None if first is None else f"{first.id}@{first.version}"
        body = msgspec.json.encode(Health(status, version, routes.problems()))
        return Response(body, 200 if status == "ok" else 503, media_type="application/json")


def _status(models: Iterable[ModelInfo], first: ModelInfo | None) -> HealthStatus:
    """While ``first`` loads, another one that is there, such as an embedding model, does not make the service ready."""
    states = {model.state for model in models}
    if "ready" in states and not (first is not None and first.state == "loading"):
        return "ok"
    return "loading" if "loading" in states else "unavailable"
