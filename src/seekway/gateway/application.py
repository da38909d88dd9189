"""The gateway as an ASGI application; everything it needs is given to :func:`create_app`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import TypedDict

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from structlog.typing import FilteringBoundLogger

from seekway.core.errors import InternalError, InvalidRequest, MethodNotAllowed, NotFound, SeekwayError
from seekway.core.settings import Settings
from seekway.gateway.authentication import Authenticator
from seekway.gateway.dialects.openai_errors import ErrorEnvelope
from seekway.gateway.drain import Drain
from seekway.gateway.error_response import error_response
from seekway.gateway.front import Front
from seekway.gateway.model_call import CallServices
from seekway.gateway.openapi import DescribedApp, body_of
from seekway.gateway.operations.table import ModelRoute, model_routes
from seekway.gateway.request_edge import RequestEdge, record_of
from seekway.gateway.request_ledger import RequestLedger
from seekway.gateway.routes.admin_routes import AdminRoutes, TrialBody, TrialReport
from seekway.gateway.routes.health_routes import HealthRoutes
from seekway.gateway.routes.model_routes import ModelListRoutes, model_endpoint
from seekway.gateway.sweep import Sweep
from seekway.observability.access_log import AccessLog
from seekway.observability.engine_figures import EngineFigures
from seekway.observability.metrics import Metrics
from seekway.observability.worker_metrics import WorkerMetrics
from seekway.pipeline.figures import StageCounters
from seekway.pipeline.pipeline import Pipeline

_SWEEP_S = 0.05


class GatewayState(TypedDict):
    """What the lifespan gives to every request's state, and to the server's connections."""

    front: Front


def create_app(
    settings: Settings,
    pipeline: Pipeline,
    *,
    metrics: Metrics,
    log: FilteringBoundLogger,
    drain: Drain,
    access_log: AccessLog,
    key_digests: Collection[bytes] | None = None,
    workers: WorkerMetrics | None = None,
) -> FastAPI:
    """``metrics`` must be this application's own: the engines' figures are registered with it.

    ``key_digests`` None leaves the gateway open; the composition root reads the key file and refuses an empty one.

    ``workers`` is set where several processes share the port.

    The lifespan watches the backends and closes them at the end; ``app.state.drain`` is ``drain``.
    """
    ledger = RequestLedger(drain, metrics, access_log)
    services = CallServices(settings.gateway, pipeline, Authenticator(key_digests), drain, log, Sweep(_SWEEP_S))
    routes = model_routes()
    front = Front(services, routes, ledger)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[GatewayState]:
        async with asyncio.TaskGroup() as group:
            watch = group.create_task(pipeline.routes.watch())
            try:
                yield GatewayState(front=front)
            finally:
                watch.cancel()
                front.stop()
                await pipeline.routes.close()
                access_log.flush()

    app = DescribedApp(title="Seekway", version=version("seekway"), lifespan=lifespan, redoc_url=None)
    app.state.drain = drain
    metrics.watch_in_flight(lambda: drain.in_flight)
    metrics.registry.register(EngineFigures(pipeline.routes.served))
    metrics.registry.register(StageCounters(pipeline.figures))
    app.add_middleware(RequestEdge, ledger=ledger, log=log)
    app.add_exception_handler(SeekwayError, _on_refusal)
    app.add_exception_handler(HTTPException, _on_http)
    _add_model_routes(app, front, routes)
    _add_health_routes(app, HealthRoutes(front, metrics, workers))
    _add_admin_routes(app, AdminRoutes(front))
    return app


def _add_model_routes(app: DescribedApp, front: Front, routes: Sequence[ModelRoute]) -> None:
    structs = (struct for route in routes for struct in (route.body, route.answer, route.error))
    app.structs = (*dict.fromkeys(structs), TrialBody, TrialReport)
    for route in routes:
        for path in route.paths:
            app.add_api_route(
                path,
                model_endpoint(front, route.operation),
                methods=["POST"],
                tags=["models"],
                include_in_schema=path == route.paths[0],
                openapi_extra=body_of(route.body, route.answer, route.error),
            )
    lists = ModelListRoutes(front)
    for prefix in ("/v1", "", "/beta"):
        shown = prefix == "/v1"
        app.add_api_route(f"{prefix}/models", lists.models, tags=["models"], include_in_schema=shown)
        app.add_api_route(f"{prefix}/models/{{model_id:path}}", lists.model, tags=["models"], include_in_schema=shown)


def _add_health_routes(app: FastAPI, routes: HealthRoutes) -> None:
    for path, endpoint in (("/health", routes.health), ("/health/live", routes.live), ("/health/ready", routes.ready)):
        app.add_api_route(path, endpoint, tags=["health"])
        # Load balancers probe with either; the server leaves the body out.
        app.add_api_route(path, endpoint, methods=["HEAD"], include_in_schema=False)
    app.add_api_route("/metrics", routes.metrics, tags=["health"])


def _add_admin_routes(app: FastAPI, routes: AdminRoutes) -> None:
    app.add_api_route("/api/v1/models", routes.models, tags=["administration"])
    app.add_api_route("/api/v1/data", routes.data, tags=["administration"])
    app.add_api_route(
        "/api/v1/data",
        routes.try_text,
        methods=["POST"],
        tags=["administration"],
        openapi_extra=body_of(TrialBody, TrialReport, ErrorEnvelope),
    )


async def _on_refusal(request: Request, error: Exception) -> Response:
    refusal = error if isinstance(error, SeekwayError) else InternalError(str(error))
    record_of(request).error = refusal.code
    return error_response(refusal)


async def _on_http(request: Request, error: Exception) -> Response:
    """The framework's own refusals (no such route, wrong verb) in the same envelope."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    match status:
        case 404:
            refusal: SeekwayError = NotFound(f"There is no {request.method} {request.url.path}; see /docs.")
        case 405:
            refusal = MethodNotAllowed(f"{request.url.path} does not take {request.method}; see /docs.")
        case _:
            refusal = InvalidRequest("The request could not be read; see /docs.")
    record_of(request).error = refusal.code
    response = error_response(refusal)
    if isinstance(error, HTTPException) and error.headers:
        response.headers.update(error.headers)
    return response
