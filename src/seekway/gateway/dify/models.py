"""The models that knowledge bases may be made with; and the pipelines that are not served."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
from starlette.responses import Response

from seekway.core.errors import InvalidParameter
from seekway.core.types import Capability, ModelInfo
from seekway.gateway.dify.dataset_wire import PROVIDER
from seekway.gateway.dify.errors import DifyRefusal
from seekway.gateway.dify.knowledge_call import KnowledgeCall, reply

_CAPABILITIES: Final[dict[str, Capability | None]] = {
    "llm": "chat",
    "text-embedding": "embed",
    "rerank": "rerank",
    "speech2text": None,
    "moderation": None,
    "tts": None,
}


class Label(msgspec.Struct, frozen=True):
    en_US: str  # noqa: N815 - as Dify writes it
    zh_Hans: str  # noqa: N815 - as above


class Properties(msgspec.Struct, frozen=True, omit_defaults=True):
    context_size: int = 0
    mode: str = ""


class WireModelEntry(msgspec.Struct, frozen=True):
    model: str
    label: Label
    model_type: str
    model_properties: Properties
    status: str
    features: Sequence[str] = ()
    fetch_from: str = "predefined-model"
    deprecated: bool = False
    load_balancing_enabled: bool = False
    has_invalid_load_balancing_configs: bool = False


class Provider(msgspec.Struct, frozen=True):
    provider: str
    label: Label
    models: Sequence[WireModelEntry]
    status: str = "active"
    icon_small: Label | None = None
    icon_large: Label | None = None
    tenant_id: str = ""


class Providers(msgspec.Struct, frozen=True):
    data: Sequence[Provider]


async def list_models(call: KnowledgeCall) -> Response:
    """Of a kind, that of new datasets first."""
    kind = call.named("model_type")
    if kind not in _CAPABILITIES:
        raise InvalidParameter(f"The model type is one of {', '.join(_CAPABILITIES)}.", param="model_type")
    capability, routes = _CAPABILITIES[kind], call.front.services.pipeline.routes
    if not routes.served():
        await routes.refresh()
    first = call.knowledge.embedding_model
    served = {info.id: info for _, info in routes.served() if capability in info.capabilities}
    models = [_entry(info, kind) for info in sorted(served.values(), key=lambda info: (info.id != first, info.id))]
    if not models:
        return reply(Providers(()))
    return reply(Providers([Provider(PROVIDER, Label("Seekway", "Seekway"), models, tenant_id=call.account)]))


async def no_pipeline(call: KnowledgeCall) -> Response:
    """Dify builds some datasets by a graph of its own; here none are."""
    raise DifyRefusal(
        400,
        "bad_request",
        "Knowledge pipelines are not served here; add documents with create-by-text or create-by-file.",
    )


def _entry(info: ModelInfo, kind: str) -> WireModelEntry:
    mode = "chat" if kind == "llm" else ""
    status = "active" if info.state == "ready" else "no-configure"
    return WireModelEntry(info.id, Label(info.id, info.id), kind, Properties(info.context_length, mode), status)
