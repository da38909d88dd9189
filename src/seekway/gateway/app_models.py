"""The models as applications ask them: through the pipeline in force, each call with a record and a line in the access log of its own."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from decimal import Decimal
from typing import Final

import msgspec

from seekway.applications.runs.model_request import MARK, asking_apps
from seekway.core.caller import Caller
from seekway.core.errors import BackendUnavailable, Cancelled, SeekwayError
from seekway.core.types import Event, GenerateRequest
from seekway.gateway.front import Front
from seekway.gateway.visit import FrontVisit
from seekway.pipeline.exchange import Headers
from seekway.pipeline.quota.prices import PriceTable

METHOD: Final = "APP"
"""Stands in the access log where an HTTP request has its verb."""

_PATH: Final = "/applications"


class ModelPrice(msgspec.Struct, frozen=True):
    """See :class:`seekway.applications.ports.Price`."""

    prompt: str = "0"
    completion: str = "0"
    currency: str = "USD"


_FREE: Final = ModelPrice()


class AppModels:
    """:class:`seekway.applications.ports.Models`. ``front`` and ``prices`` give those in force, when a model is asked; ``clock`` is Unix time, for hours in which prices are higher.

    The application's operator chose its model: which models the caller's key may ask for by itself does not matter, its limits and budget do.
    """

    def __init__(
        self, front: Callable[[], Front], prices: Callable[[], PriceTable], clock: Callable[[], float]
    ) -> None:
        self._front = front
        self._prices = prices
        self._clock = clock

    async def generate(self, request: GenerateRequest, caller: Caller, /) -> AsyncGenerator[Event, None]:
        front = self._front()
        if not request.model:
            request = msgspec.structs.replace(request, model=await self._default())
        if caller.models:
            caller = msgspec.structs.replace(caller, models=())
        visit = FrontVisit(front.services, front.ledger, _PATH, _headers(request), lambda: request.deadline_s, METHOD)
        visit.take(caller)
        failure: SeekwayError | None = Cancelled("The application went away.")
        try:
            async with aclosing(visit.generate(request)) as events:
                async for event in events:
                    yield event
            failure = None
        except SeekwayError as error:
            failure = error
            raise
        finally:
            visit.ended(failure)

    def context_length(self, model: str, /) -> int:
        names = self._front().services.pipeline.names
        route = names.known(model or names.default() or "")
        return 0 if route is None else route.model.context_length

    def price(self, model: str, /) -> ModelPrice:
        names = self._front().services.pipeline.names
        name = model or names.default() or ""
        route = names.known(name)
        priced = names.resolve(name) if route is None else route.model.id
        for currency in ("USD", "CNY"):
            found = self._prices().find(priced, currency)
            if found is not None:
                _, prompt, completion = found.at(self._clock())
                return ModelPrice(_decimal(prompt), _decimal(completion), currency)
        return _FREE

    async def _default(self) -> str:
        pipeline = self._front().services.pipeline
        name = pipeline.names.default()
        if name is None:
            # Nobody may have answered yet, as right after the start.
            await pipeline.routes.refresh()
            name = pipeline.names.default()
        if name is None:
            raise BackendUnavailable("No chat model is known here yet; try again shortly.", retry_after_s=2)
        return name


def _headers(request: GenerateRequest) -> Headers:
    """The call's id, and the application for rules that match it."""
    apps = asking_apps(request.id)
    raw = [(b"x-request-id", request.id.replace(MARK, ":").encode("latin-1", "replace"))]
    if apps:
        raw.append((b"x-seekway-app", apps[-1].encode("latin-1", "replace")))
    return Headers(raw)


def _decimal(price: float) -> str:
    return f"{Decimal(str(price)):f}"
