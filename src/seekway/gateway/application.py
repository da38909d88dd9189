"""The gateway as an ASGI application; everything it needs is given to :func:`create_app`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any, TypedDict

import msgspec
from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from structlog.typing import FilteringBoundLogger

from seekway.core.errors import InternalError, InvalidRequest, MethodNotAllowed, NotFound, SeekwayError
from seekway.core.settings import Settings
from seekway.gateway.authentication import Authenticator
from seekway.gateway.dialects.openai_chat import ChatBody
from seekway.gateway.dialects.openai_chat_answer import ChatCompletion
from seekway.gateway.dialects.openai_completions import Completion, CompletionBody
from seekway.gateway.dialects.openai_embeddings import EmbeddingAnswer, EmbeddingBody
from seekway.gateway.dialects.openai_errors import ErrorEnvelope
from seekway.gateway.dialects.rerank import RerankAnswer, RerankBody
from seekway.gateway.drain import Drain
from seekway.gateway.openapi import DescribedApp, body_of
from seekway.gateway.request_edge import RequestEdge, record_of
from seekway.gateway.routes.admin_routes import AdminRoutes, TrialBody, TrialReport
from seekway.gateway.routes.health_routes import HealthRoutes
from seekway.gateway.routes.model_routes import ModelRoutes
from seekway.gateway.streaming import error_response
from seekway.observability.engine_figures import EngineFigures
from seekway.observability.metrics import Metrics
from seekway.pipeline.pipeline import Pipeline


class GatewayState(TypedDict):
    """What the lifespan gives to every request's state."""

    pipeline: Pipeline
    drain: Drain


def create_app(
    settings: Settings,
    pipeline: Pipeline,
    *,
    metrics: Metrics,
    log: FilteringBoundLogger,
    drain: Drain,
    key_digests: Collection[bytes] | None = None,
) -> FastAPI:
    """``metrics`` must be this application's own: the engines' figures are registered with it.

    ``key_digests`` None leaves the gateway open; the composition root reads the key file and refuses an empty one.

    The lifespan watches the backends and closes them at the end; ``app.state.drain`` is ``drain``.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[GatewayState]:
        async with asyncio.TaskGroup() as group:
            watch = group.create_task(pipeline.routes.watch())
            try:
                yield GatewayState(pipeline=pipeline, drain=drain)
            finally:
                watch.cancel()
                await pipeline.routes.close()

    app = DescribedApp(title="Seekway", version=version("seekway"), lifespan=lifespan, redoc_url=None)
    app.state.drain = drain
    metrics.watch_in_flight(lambda: drain.in_flight)
    metrics.registry.register(EngineFigures(pipeline.routes.served))
    app.add_middleware(RequestEdge, drain=drain, metrics=metrics, log=log)
    app.add_exception_handler(SeekwayError, _on_refusal)
    app.add_exception_handler(HTTPException, _on_http)
    authenticator = Authenticator(key_digests)
    _add_model_routes(app, ModelRoutes(settings.gateway, pipeline, authenticator, drain, log))
    _add_health_routes(app, HealthRoutes(pipeline, drain, metrics))
    _add_admin_routes(app, AdminRoutes(settings.gateway, pipeline, authenticator))
    return app


def _add_model_routes(app: DescribedApp, routes: ModelRoutes) -> None:
    """Each under ``/v1`` and, as DeepSeek's own base has them, without; only the first of a route's paths is documented."""
    posts: tuple[tuple[tuple[str, ...], Any, type[msgspec.Struct], type[msgspec.Struct]], ...] = (
        (
            ("/v1/chat/completions", "/chat/completions", "/beta/chat/completions"),
            routes.chat_completions,
            ChatBody,
            ChatCompletion,
        ),
        (("/v1/completions", "/completions", "/beta/completions"), routes.completions, CompletionBody, Completion),
        (("/v1/embeddings", "/embeddings"), routes.embeddings, EmbeddingBody, EmbeddingAnswer),
        (("/v1/rerank", "/rerank"), routes.rerank, RerankBody, RerankAnswer),
    )
    app.structs = (*(struct for _, _, *structs in posts for struct in structs), TrialBody, TrialReport, ErrorEnvelope)
    for paths, endpoint, body, answer in posts:
        for path in paths:
            app.add_api_route(
                path,
                endpoint,
                methods=["POST"],
                tags=["models"],
                include_in_schema=path == paths[0],
                openapi_extra=body_of(body, answer, ErrorEnvelope),
            )
    for prefix in ("/v1", "", "/beta"):
        shown = prefix == "/v1"
        app.add_api_route(f"{prefix}/models", routes.models, tags=["models"], include_in_schema=shown)
        app.add_api_route(f"{prefix}/models/{{model_id:path}}", routes.model, tags=["models"], include_in_schema=shown)


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
