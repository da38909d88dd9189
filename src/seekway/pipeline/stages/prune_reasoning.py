"""What a model thought in earlier turns: kept while tools are in use, dropped otherwise (api-docs.deepseek.com, "Thinking Mode")."""

from __future__ import annotations

import msgspec

from seekway.core.errors import InvalidRequest
from seekway.core.types import GenerateRequest, Message
from seekway.pipeline.exchange import Exchange


class PruneReasoning:
    """Raises ``InvalidRequest`` in DeepSeek's own words when its cloud would miss the reasoning of a turn that called tools; our models do without."""

    name = "prune_reasoning"

    def __call__(self, request: GenerateRequest, exchange: Exchange) -> GenerateRequest:
        tools, thoughts = bool(request.tools), False
        for message in request.messages:
            if message.tool_calls:
                tools = True
            # A prefix message's reasoning is part of what is to be continued.
            if message.reasoning is not None and not message.prefix:
                thoughts = True
        if tools:
            if exchange.resolved.member.kind == "deepseek" and request.thinking.enabled is not False:
                _check(request.messages)
            return request
        if not thoughts:
            return request
        kept = tuple(m if m.prefix else msgspec.structs.replace(m, reasoning=None) for m in request.messages)
        return msgspec.structs.replace(request, messages=kept)


def _check(messages: tuple[Message, ...]) -> None:
    """Only turns since the last user message: earlier ones the cloud judges by rules of its own that have changed."""
    since = max((i for i, message in enumerate(messages) if message.role == "user"), default=0)
    if any(message.tool_calls and message.reasoning is None for message in messages[since:]):
        raise InvalidRequest(
            "The `reasoning_content` in the thinking mode must be passed back to the API.", param="messages"
        )
