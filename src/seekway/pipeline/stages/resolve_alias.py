"""The model's name becomes the model, and the request learns where it goes."""

from __future__ import annotations

from collections.abc import Awaitable
from functools import partial

import msgspec

from seekway.core.errors import InvalidRequest
from seekway.core.types import Capability, GenerateRequest
from seekway.pipeline.exchange import Exchange
from seekway.pipeline.names import ModelNames
from seekway.pipeline.routing.endpoint import Endpoint
from seekway.pipeline.routing.router import Router
from seekway.pipeline.routing.selection import Selection


class ResolveAlias:
    """``deepseek-reasoner`` turns thinking on and ``deepseek-chat`` off, unless the client said otherwise.

    Raises ``ModelNotFound``, ``BackendUnavailable``, and ``InvalidRequest`` when the model cannot do what is asked.
    """

    name = "resolve_alias"

    def __init__(self, names: ModelNames, router: Router[Endpoint]) -> None:
        self._names = names
        self._router = router

    def __call__(self, request: GenerateRequest, exchange: Exchange) -> GenerateRequest | Awaitable[GenerateRequest]:
        selection = self._router.select(request.model, exchange)
        if selection is None:
            return self._ask(request, exchange)
        return self._resolve(request, exchange, selection)

    async def _ask(self, request: GenerateRequest, exchange: Exchange) -> GenerateRequest:
        """A name that nobody serves now: the backends are asked before it is refused."""
        return self._resolve(request, exchange, await self._router.wait(request.model, exchange))

    def _resolve(self, request: GenerateRequest, exchange: Exchange, selection: Selection[Endpoint]) -> GenerateRequest:
        capability = exchange.capability or _capability(request)
        if selection.canary is not None:
            exchange.behind = partial(self._behind, selection.canary, request.model, exchange, capability)
        exchange.selection = selection = selection.able(capability)
        route = selection.route
        exchange.take(route)
        thinking = request.thinking
        if thinking.enabled is None and (by_name := self._names.thinking(request.model)) is not None:
            thinking = msgspec.structs.replace(thinking, enabled=by_name)
        if route.name == request.model and thinking is request.thinking:
            return request
        return msgspec.structs.replace(request, model=route.name, thinking=thinking)

    def _behind(
        self, canary: int, asked: str, exchange: Exchange, capability: Capability
    ) -> Selection[Endpoint] | None:
        """Where the request goes that was sent to a canary which fails."""
        found = self._router.behind(canary, asked, exchange)
        try:
            return None if found is None else found.able(capability)
        except InvalidRequest:
            return None


def _capability(request: GenerateRequest) -> Capability:
    if request.prompt is None:
        return "chat"
    return "completion" if request.suffix is None else "fim"
