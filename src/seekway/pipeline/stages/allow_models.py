"""A key may be for certain models only."""

from __future__ import annotations

from seekway.core.errors import ModelNotFound
from seekway.core.types import GenerateRequest
from seekway.pipeline.caller import Caller
from seekway.pipeline.exchange import Exchange


class AllowModels:
    """Raises ``ModelNotFound`` for a model that the key may not ask for, as OpenAI does: which others there are is not told.

    Comes before the model's name is resolved: a key allows names, as clients ask by them, with or without ``@version``.
    """

    name = "allow_models"

    def __call__(self, request: GenerateRequest, exchange: Exchange) -> GenerateRequest:
        if exchange.caller.models:
            check_model(exchange.caller, request.model)
        return request


def check_model(caller: Caller, name: str) -> None:
    """Raises ``ModelNotFound``."""
    if caller.models and name not in caller.models and name.partition("@")[0] not in caller.models:
        raise ModelNotFound(
            f"There is no model {name!r} for this API key; ask for one of: {', '.join(caller.models)}.", param="model"
        )
