"""Leaves out a conversation's oldest turns when it is longer than the model's context."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from seekway.core.sections.processing import TrimRule
from seekway.core.token_estimate import text_tokens
from seekway.core.types import GenerateRequest, Message
from seekway.pipeline.exchange import Exchange
from seekway.pipeline.quota.estimate import message_tokens
from seekway.pipeline.stages.matching import first_match

HEADER = b"x-seekway-trimmed"


class TrimContext:
    """System messages and the last user message always stay, and a call of a tool stays with its results or goes with them.

    Oldest turns go first, a user message with all that answered it; then, of the turn under way, the oldest calls, but the last ones stay.
    A conversation that is still too long goes on as it is then, for the model's server to refuse.
    Tokens are estimated as everywhere in the gateway (0.3 an English character, 0.6 another), for what has no tokenizer here.
    What was left out stands in the header ``x-seekway-trimmed`` and in the log.
    """

    name = "trim_context"

    def __init__(self, rules: Sequence[TrimRule]) -> None:
        self._rules = [(rule, rule) for rule in rules]

    def __call__(self, request: GenerateRequest, exchange: Exchange) -> GenerateRequest:
        rule = first_match(self._rules, request, exchange)
        if rule is None or len(request.messages) < 2:
            return request
        context = rule.context_tokens or exchange.resolved.model.context_length
        if not context:
            return request
        answer = min(request.sampling.max_tokens or rule.answer_tokens, context // 2)
        left, dropped = _fitting(request, context - answer)
        if not dropped:
            return request
        exchange.record.trimmed_messages = len(request.messages) - len(left)
        told = f"messages={exchange.record.trimmed_messages}; tokens={int(dropped)}"
        exchange.response_headers.append((HEADER, told.encode()))
        return msgspec.structs.replace(request, messages=left)


def _fitting(request: GenerateRequest, most: float) -> tuple[tuple[Message, ...], float]:
    """What is left of the messages, and the tokens of those that are not."""
    sizes = [message_tokens(message) for message in request.messages]
    over = sum(sizes) + _tools_tokens(request) - most
    gone: set[int] = set()
    dropped = 0.0
    if over > 0:
        for group in _groups(request.messages):
            if dropped >= over:
                break
            gone.update(group)
            dropped += sum(sizes[at] for at in group)
    return tuple(message for at, message in enumerate(request.messages) if at not in gone), dropped


def _groups(messages: Sequence[Message]) -> list[list[int]]:
    """Places of messages that may go, together and in this order."""
    last_user = max((at for at, message in enumerate(messages) if message.role == "user"), default=-1)
    turns: list[list[int]] = []
    calls: list[list[int]] = []
    for at, message in enumerate(messages):
        if message.role == "system" or at == last_user:
            continue
        groups = turns if at < last_user else calls
        starts = message.role == "user" if at < last_user else message.role == "assistant"
        if starts or not groups:
            groups.append([])
        groups[-1].append(at)
    return turns + calls[:-1]


def _tools_tokens(request: GenerateRequest) -> float:
    if request.tool_choice.mode == "none":
        return 0.0
    return sum(
        text_tokens(tool.name)
        + text_tokens(tool.description)
        + text_tokens(msgspec.json.encode(tool.parameters).decode())
        for tool in request.tools
    )
