"""DeepSeek's rules for parameters while a model thinks (api-docs.deepseek.com, "Thinking Mode")."""

from __future__ import annotations

import msgspec

from seekway.core.errors import InvalidRequest
from seekway.core.types import GenerateRequest
from seekway.pipeline.exchange import Exchange

_LEAST_TOP_P = 0.95


class ThinkingRules:
    """A forced tool is refused, temperature is ignored and ``top_p`` is at least 0.95 while the client asks a model that can think to think.

    A model that thinks by its own default keeps the client's sampling: it was not asked for in DeepSeek's terms.
    DeepSeek's own cloud applies these rules itself and gets the request as it came.
    """

    name = "thinking_rules"

    def __call__(self, request: GenerateRequest, exchange: Exchange) -> GenerateRequest:
        route = exchange.resolved
        if request.thinking.enabled is not True or not route.can_think:
            return request
        if request.tool_choice.mode in ("required", "named"):
            raise InvalidRequest(
                "Thinking mode does not support this tool_choice; use auto or none, or turn thinking off.",
                param="tool_choice",
            )
        sampling = request.sampling
        top_p = sampling.top_p if sampling.top_p is None else max(sampling.top_p, _LEAST_TOP_P)
        if route.member.kind == "deepseek" or (sampling.temperature is None and top_p == sampling.top_p):
            return request
        return msgspec.structs.replace(
            request, sampling=msgspec.structs.replace(sampling, temperature=None, top_p=top_p)
        )
