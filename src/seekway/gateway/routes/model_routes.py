"""The framework's routes that ask a model, and the list of models."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

from seekway.gateway.asgi_call import asgi_answer
from seekway.gateway.dialects.openai_models import encode_model, encode_models
from seekway.gateway.front import Front
from seekway.gateway.model_call import Operation
from seekway.gateway.routes.admission import admit


def model_endpoint(front: Front, operation: Operation) -> Callable[[Request], Awaitable[Response]]:
    async def ask(request: Request) -> Response:
        return await asgi_answer(front.services, operation, request)

    ask.__name__ = operation.name
    ask.__doc__ = operation.__doc__
    return ask


class ModelListRoutes:
    def __init__(self, front: Front) -> None:
        self._front = front

    async def models(self, request: Request) -> Response:
        """Every model of every backend."""
        admit(request, self._front.services)
        routes = self._front.services.pipeline.routes
        if not routes.served():
            await routes.refresh()
        return Response(encode_models(info for _, info in routes.served()), media_type="application/json")

    async def model(self, request: Request) -> Response:
        """One model, also by an alias."""
        admit(request, self._front.services)
        name = str(request.path_params["model_id"])
        route = await self._front.services.pipeline.names.route(name)
        return Response(encode_model(route.model, name), media_type="application/json")
