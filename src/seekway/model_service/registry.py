"""Several models, and several versions of one, behind one Backend."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import msgspec

from seekway.core.errors import ModelNotFound, SeekwayError
from seekway.core.ports import Backend
from seekway.core.types import (
    EmbedRequest,
    EmbedResult,
    Event,
    GenerateRequest,
    ModelInfo,
    RerankRequest,
    RerankResult,
    TokenCount,
)


class Route(msgspec.Struct, frozen=True):
    """``backend`` serves ``version`` of the model ``name``."""

    name: str
    version: str
    backend: Backend


class ModelRouter:
    """Hands each request to the backend of its model: ``name`` is the first route of that name, ``name@version`` exactly one."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self._routes = tuple(routes)
        self._by_name: dict[str, Route] = {}
        for route in self._routes:
            self._by_name.setdefault(route.name, route)
            self._by_name.setdefault(f"{route.name}@{route.version}", route)

    def generate(self, request: GenerateRequest) -> AsyncIterator[Event]:
        """Raises ``ModelNotFound`` at once, before the stream is asked for its first event."""
        route = self._route(request.model)
        return route.backend.generate(msgspec.structs.replace(request, model=route.name))

    async def embed(self, request: EmbedRequest) -> EmbedResult:
        route = self._route(request.model)
        return await route.backend.embed(msgspec.structs.replace(request, model=route.name))

    async def rerank(self, request: RerankRequest) -> RerankResult:
        route = self._route(request.model)
        return await route.backend.rerank(msgspec.structs.replace(request, model=route.name))

    async def count_tokens(self, request: GenerateRequest) -> TokenCount:
        route = self._route(request.model)
        return await route.backend.count_tokens(msgspec.structs.replace(request, model=route.name))

    async def models(self) -> tuple[ModelInfo, ...]:
        """All that is served, in the routes' order; a backend that cannot be asked is listed as failed, with the reason."""
        listed = await asyncio.gather(*(_models_of(route) for route in self._routes))
        return tuple(info for models in listed for info in models)

    async def close(self) -> None:
        await asyncio.gather(*(route.backend.close() for route in self._routes))

    def _route(self, model: str) -> Route:
        route = self._by_name.get(model)
        if route is None:
            served = ", ".join(dict.fromkeys(route.name for route in self._routes)) or "none"
            raise ModelNotFound(f"The model {model!r} is not served here; served are: {served}.", param="model")
        return route


async def _models_of(route: Route) -> tuple[ModelInfo, ...]:
    try:
        return await route.backend.models()
    except SeekwayError as error:
        return (
            ModelInfo(
                id=route.name,
                version=route.version,
                owned_by="seekway",
                source="",
                capabilities=(),
                state="failed",
                detail=error.message,
            ),
        )
