"""The model's name becomes the model, and the request learns where it goes."""

from __future__ import annotations

from collections.abc import Awaitable

import msgspec

from seekway.core.types import Capability, GenerateRequest
from seekway.pipeline.directory import Route
from seekway.pipeline.exchange import Exchange
from seekway.pipeline.names import ModelNames


class ResolveAlias:
    """``deepseek-reasoner`` turns thinking on and ``deepseek-chat`` off, unless the client said otherwise.

    Raises ``ModelNotFound``, ``BackendUnavailable``, and ``InvalidRequest`` when the model cannot do what is asked.
    """

    name = "resolve_alias"

    def __init__(self, names: ModelNames) -> None:
        self._names = names

    def __call__(self, request: GenerateRequest, exchange: Exchange) -> GenerateRequest | Awaitable[GenerateRequest]:
        route = self._names.known(request.model)
        if route is None:
            return self._ask(request, exchange)
        return self._resolve(request, exchange, route)

    async def _ask(self, request: GenerateRequest, exchange: Exchange) -> GenerateRequest:
        """A name that nobody serves now: the backends are asked before it is refused."""
        return self._resolve(request, exchange, await self._names.route(request.model))

    def _resolve(self, request: GenerateRequest, exchange: Exchange, route: Route) -> GenerateRequest:
        exchange.take(route)
        route.require(_capability(request))
        thinking = request.thinking
        if thinking.enabled is None and (by_name := self._names.thinking(request.model)) is not None:
            thinking = msgspec.structs.replace(thinking, enabled=by_name)
        if route.name == request.model and thinking is request.thinking:
            return request
        return msgspec.structs.replace(request, model=route.name, thinking=thinking)


def _capability(request: GenerateRequest) -> Capability:
    if request.prompt is None:
        return "chat"
    return "completion" if request.suffix is None else "fim"
