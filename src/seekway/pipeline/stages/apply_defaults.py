"""DeepSeek's default output lengths, within what the model can hold."""

from __future__ import annotations

import msgspec

from seekway.core.types import GenerateRequest
from seekway.pipeline.exchange import Exchange

_PLAIN, _THINKING, _THINKING_MAX, _FILL_IN = 8192, 65536, 131072, 4096


class ApplyDefaults:
    """``max_tokens`` is 8K without thinking, 64K with, 128K with effort max, and 4K for a fill-in-the-middle, at most the model's context.

    Other servers have their own defaults and bounds and get what the client sent.
    """

    name = "apply_defaults"

    def __call__(self, request: GenerateRequest, exchange: Exchange) -> GenerateRequest:
        route = exchange.resolved
        if route.member.kind != "local":
            return request
        wanted = request.sampling.max_tokens or _default(request, route.can_think)
        if route.model.context_length:
            wanted = min(wanted, route.model.context_length)
        if wanted == request.sampling.max_tokens:
            return request
        return msgspec.structs.replace(request, sampling=msgspec.structs.replace(request.sampling, max_tokens=wanted))


def _default(request: GenerateRequest, can_think: bool) -> int:
    if request.suffix is not None:
        return _FILL_IN
    if not can_think or request.thinking.enabled is False or request.prompt is not None:
        return _PLAIN
    return _THINKING_MAX if request.thinking.effort == "max" else _THINKING
