"""``/api/v1``: what is loaded and how it does, the pipeline's stages, and a text's way through them."""

from __future__ import annotations

import asyncio
import uuid
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response

from seekway.core.types import GenerateRequest, Message, ModelInfo
from seekway.gateway.authentication import ADMIN_SCOPE
from seekway.gateway.dialects.json_body import BodyDecoder
from seekway.gateway.front import Front
from seekway.gateway.model_call import CallServices
from seekway.gateway.request_body import read_body
from seekway.gateway.routes.admission import admit
from seekway.observability.record import RequestRecord
from seekway.pipeline.exchange import Exchange
from seekway.pipeline.trial import StageTrace

_WAIT_S = 1.0


class ServedModel(msgspec.Struct, frozen=True):
    backend: str
    model: ModelInfo


class ServedModels(msgspec.Struct, frozen=True):
    """``backends_away`` names each backend that cannot be asked now, with why."""

    models: tuple[ServedModel, ...]
    backends_away: dict[str, str]


class StageReport(msgspec.Struct, frozen=True):
    """Counters since the process started; ``seconds`` is the stage's own time, ``changed`` and ``refused`` count requests."""

    name: str
    kind: Literal["request", "stream"]
    calls: int
    changed: int
    refused: int
    events: int
    seconds: float


class CacheReport(msgspec.Struct, frozen=True):
    """A model's prefix cache, in prompt tokens since its worker started."""

    name: str
    model: str
    prompt_tokens: int
    cached_tokens: int
    kv_cache_used: float | None


class DataReport(msgspec.Struct, frozen=True):
    stages: tuple[StageReport, ...]
    caches: tuple[CacheReport, ...]


class TrialBody(msgspec.Struct, frozen=True):
    """``text`` goes through the request stages as a user's message, and through the stream stages as a model's answer."""

    text: Annotated[str, Meta(min_length=1)]
    model: Annotated[str, Meta(min_length=1)] = "deepseek-chat"


class TrialReport(msgspec.Struct, frozen=True):
    stages: tuple[StageTrace, ...]


_DECODER: BodyDecoder[TrialBody] = BodyDecoder(TrialBody)


class AdminRoutes:
    def __init__(self, front: Front) -> None:
        self._front = front

    async def models(self, request: Request) -> Response:
        """What is loaded, from where, and its figures now."""
        services = self._open(request)
        routes = services.pipeline.routes
        await routes.refresh(_WAIT_S)
        served = tuple(ServedModel(backend, info) for backend, info in routes.served())
        return _json(ServedModels(served, routes.problems()))

    async def data(self, request: Request) -> Response:
        """The pipeline's stages in order and the models' prefix caches, with their counters and times."""
        services = self._open(request)
        routes = services.pipeline.routes
        await routes.refresh(_WAIT_S)
        stages = tuple(
            StageReport(f.name, f.kind, f.calls, f.changed, f.refused, f.events, f.seconds)
            for f in services.pipeline.figures()
        )
        caches = tuple(
            CacheReport(
                "prefix",
                info.id,
                info.stats.prompt_tokens_total,
                info.stats.cached_tokens_total,
                info.stats.kv_cache_used,
            )
            for _, info in routes.served()
        )
        return _json(DataReport(stages, caches))

    async def try_text(self, request: Request) -> Response:
        """Run a text through the stages and show what each did; no model is asked and nothing is counted."""
        services = self._open(request)
        deadline = asyncio.get_running_loop().time() + services.settings.request_timeout_s
        wire, _ = _DECODER.decode(await read_body(request, services.settings.max_body_bytes, deadline))
        trial = GenerateRequest(
            id=f"trial-{uuid.uuid4().hex}", model=wire.model, messages=(Message("user", wire.text),)
        )
        # A record of its own: what the trial notes must not reach the log and the metrics as a model's work.
        traces = await services.pipeline.trial(trial, wire.text, Exchange(RequestRecord(trial.id)))
        return _json(TrialReport(traces))

    def _open(self, request: Request) -> CallServices:
        services = self._front.services
        admit(request, services, ADMIN_SCOPE)
        return services


def _json(value: Any) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json")
