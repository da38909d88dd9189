"""``GET /models`` and ``GET /models/{id}``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from seekway.core.types import ModelInfo


class WireModel(msgspec.Struct, frozen=True):
    id: str
    created: int
    owned_by: str
    object: Literal["model"] = "model"


class ModelList(msgspec.Struct, frozen=True):
    data: tuple[WireModel, ...]
    object: Literal["list"] = "list"


def encode_model(info: ModelInfo, name: str) -> bytes:
    """``name`` is what the client asked for, which may be an alias."""
    return msgspec.json.encode(WireModel(name, info.created, info.owned_by))


def encode_models(models: Iterable[ModelInfo]) -> bytes:
    """Each name once, in order."""
    by_name = {info.id: WireModel(info.id, info.created, info.owned_by) for info in reversed(tuple(models))}
    return msgspec.json.encode(ModelList(tuple(reversed(by_name.values()))))
