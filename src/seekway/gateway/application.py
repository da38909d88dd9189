"""The gateway as an ASGI application; everything it needs is given to :func:`create_app`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from importlib.metadata import version
from typing import Any, TypedDict

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from seekway.core.errors import InternalError, InvalidRequest, MethodNotAllowed, NotFound, SeekwayError
from seekway.gateway.dialects.openai_errors import ErrorEnvelope
from seekway.gateway.dialects.openai_models import ModelList, WireModel
from seekway.gateway.dify.downloads import FILE_PATH, Files
from seekway.gateway.dify.knowledge_call import knowledge_endpoint
from seekway.gateway.dify.knowledge_routes import KNOWLEDGE_ROUTES
from seekway.gateway.error_response import error_response, form_for
from seekway.gateway.front import Front
from seekway.gateway.openapi import TEXT_METRICS, DescribedApp, answers_of, body_of, health_of
from seekway.gateway.request_edge import RequestEdge, record_of
from seekway.gateway.routes.admin_routes import AdminRoutes, DataReport, ServedModels, TrialBody, TrialReport
from seekway.gateway.routes.document_routes import DOCUMENT, DocumentRoutes
from seekway.gateway.routes.health_routes import Alive, Health, HealthRoutes
from seekway.gateway.routes.model_routes import ModelListRoutes, model_endpoint
from seekway.observability.engine_figures import EngineFigures
from seekway.observability.metrics import Metrics
from seekway.observability.worker_metrics import WorkerMetrics
from seekway.pipeline.figures import StageCounters


class GatewayState(TypedDict):
    """What the lifespan gives to every request's state, and to the server's connections."""

    front: Front


def create_app(
    front: Front,
    *,
    metrics: Metrics,
    workers: WorkerMetrics | None = None,
    beside: AbstractAsyncContextManager[None] | None = None,
) -> FastAPI:
    """``metrics`` must be this application's own: the engines' figures are registered with it.

    ``workers`` is set where several processes share the port. The lifespan is ``front``'s: the backends are watched, and closed at the end.
    ``beside`` is served within it: another way in to the same front.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[GatewayState]:
        async with front.serving(), beside or nullcontext():
            yield GatewayState(front=front)

    app = DescribedApp(title="Seekway", version=version("seekway"), lifespan=lifespan, openapi_url=None)
    drain = front.ledger.drain
    metrics.watch_in_flight(lambda: drain.in_flight)
    metrics.registry.register(EngineFigures(lambda: front.services.pipeline.routes.served()))
    metrics.registry.register(StageCounters(lambda: front.services.pipeline.figures()))
    app.add_middleware(RequestEdge, ledger=front.ledger, log=front.log)
    app.add_exception_handler(SeekwayError, _on_refusal)
    app.add_exception_handler(HTTPException, _on_http)
    _add_model_routes(app, front)
    _add_health_routes(app, HealthRoutes(front, metrics, workers))
    _add_admin_routes(app, AdminRoutes(front))
    _add_knowledge_routes(app, front)
    documents = DocumentRoutes(front, app)
    app.add_api_route(DOCUMENT, documents.document, include_in_schema=False)
    app.add_api_route("/docs", documents.page, include_in_schema=False)
    return app


def _add_model_routes(app: DescribedApp, front: Front) -> None:
    routes = front.routes
    structs = (struct for route in routes for struct in (route.body, route.answer, route.error))
    app.structs = (
        *dict.fromkeys(structs),
        ModelList,
        WireModel,
        Health,
        Alive,
        ServedModels,
        DataReport,
        TrialBody,
        TrialReport,
    )
    for route in routes:
        for path in route.paths:
            app.add_api_route(
                path,
                model_endpoint(front, route.operation),
                methods=["POST"],
                tags=["models"],
                include_in_schema=path == route.paths[0],
                response_class=Response,
                openapi_extra=body_of(
                    route.body, route.answer, route.error, streams="stream" in route.body.__struct_fields__
                ),
            )
    lists = ModelListRoutes(front)
    for prefix in ("/v1", "", "/beta"):
        shown = prefix == "/v1"
        _get(app, f"{prefix}/models", lists.models, "models", answers_of(ModelList, ErrorEnvelope), shown=shown)
        one = answers_of(WireModel, ErrorEnvelope, parameter="model_id")
        _get(app, f"{prefix}/models/{{model_id:path}}", lists.model, "models", one, shown=shown)


def _get(
    app: FastAPI,
    path: str,
    endpoint: Callable[..., Awaitable[Response]],
    tag: str,
    described: dict[str, Any],
    *,
    shown: bool = True,
) -> None:
    app.add_api_route(
        path, endpoint, tags=[tag], include_in_schema=shown, response_class=Response, openapi_extra=described
    )


def _add_health_routes(app: FastAPI, routes: HealthRoutes) -> None:
    for path, endpoint, kind in (
        ("/health", routes.health, Health),
        ("/health/live", routes.live, Alive),
        ("/health/ready", routes.ready, Health),
    ):
        _get(app, path, endpoint, "health", health_of(kind))
        # Load balancers probe with either; the server leaves the body out.
        app.add_api_route(path, endpoint, methods=["HEAD"], include_in_schema=False)
    _get(app, "/metrics", routes.metrics, "health", TEXT_METRICS)


def _add_admin_routes(app: FastAPI, routes: AdminRoutes) -> None:
    _get(app, "/api/v1/models", routes.models, "administration", answers_of(ServedModels, ErrorEnvelope))
    _get(app, "/api/v1/data", routes.data, "administration", answers_of(DataReport, ErrorEnvelope))
    app.add_api_route(
        "/api/v1/data",
        routes.try_text,
        methods=["POST"],
        tags=["administration"],
        response_class=Response,
        openapi_extra=body_of(TrialBody, TrialReport, ErrorEnvelope),
    )


def _add_knowledge_routes(app: DescribedApp, front: Front) -> None:
    """Dify's; docs/reference/dify.md lists them."""
    for route in KNOWLEDGE_ROUTES:
        endpoint = knowledge_endpoint(front, route.handler)
        for path in (route.path, *route.also):
            app.add_api_route(path, endpoint, methods=[route.method], include_in_schema=False)
    app.add_api_route(FILE_PATH, Files(front).file, include_in_schema=False)


async def _on_refusal(request: Request, error: Exception) -> Response:
    refusal = error if isinstance(error, SeekwayError) else InternalError(str(error))
    return _refused(request, refusal)


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
    response = _refused(request, refusal)
    if isinstance(error, HTTPException) and error.headers:
        response.headers.update(error.headers)
    return response


def _refused(request: Request, refusal: SeekwayError) -> Response:
    record = record_of(request)
    record.error = refusal.code
    return error_response(refusal, form_for(request.url.path), record.request_id)
