"""The event stream. What a server sends and this version does not know raises ``BackendProtocolError``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

import msgspec

from seekway.core.errors import BackendProtocolError, error_from_code
from seekway.core.types import (
    ErrorEvent,
    Event,
    Finish,
    FinishReason,
    ReasoningDelta,
    Replacement,
    TextDelta,
    TokenLogprob,
    ToolCallDelta,
    TopLogprob,
    Usage,
)
from seekway.model_service.contract import model_service_pb2 as pb


def event_to_proto(event: Event) -> pb.GenerateEvent:
    """Raises the error itself for an ``ErrorEvent``: on this wire errors are statuses."""
    match event:
        case TextDelta():
            if not event.logprobs:
                return pb.GenerateEvent(text=event.text)
            return pb.GenerateEvent(text_with_logprobs=_delta_to_proto(event))
        case ReasoningDelta():
            if not event.logprobs:
                return pb.GenerateEvent(reasoning=event.text)
            return pb.GenerateEvent(reasoning_with_logprobs=_delta_to_proto(event))
        case ToolCallDelta():
            call = pb.ToolCallDelta(index=event.index, id=event.id, name=event.name, arguments=event.arguments)
            return pb.GenerateEvent(tool_call=call)
        case Usage():
            return pb.GenerateEvent(usage=usage_to_proto(event))
        case Finish():
            return pb.GenerateEvent(finish=pb.Finish(reason=event.reason, stop=event.stop))
        case Replacement():
            return pb.GenerateEvent(replacement=event.text)
        case ErrorEvent():
            raise error_from_code(event.code, event.message, param=event.param)
        case _:
            assert_never(event)


def event_from_proto(message: pb.GenerateEvent) -> Event:
    match message.WhichOneof("event"):
        case "text":
            return TextDelta(message.text)
        case "reasoning":
            return ReasoningDelta(message.reasoning)
        case "text_with_logprobs":
            delta = message.text_with_logprobs
            return TextDelta(delta.text, _logprobs_from_proto(delta.logprobs))
        case "reasoning_with_logprobs":
            delta = message.reasoning_with_logprobs
            return ReasoningDelta(delta.text, _logprobs_from_proto(delta.logprobs))
        case "tool_call":
            call = message.tool_call
            return ToolCallDelta(
                index=call.index,
                id=call.id if call.HasField("id") else None,
                name=call.name if call.HasField("name") else None,
                arguments=call.arguments,
            )
        case "usage":
            return usage_from_proto(message.usage)
        case "finish":
            return _finish_from_proto(message.finish)
        case "replacement":
            return Replacement(message.replacement)
        case _:
            raise BackendProtocolError("The model service sent an event this version does not know; update Seekway.")


def usage_to_proto(usage: Usage) -> pb.Usage:
    return pb.Usage(
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        cached_tokens=usage.cached_tokens,
        reasoning_tokens=usage.reasoning_tokens,
    )


def usage_from_proto(usage: pb.Usage) -> Usage:
    return Usage(usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens, usage.reasoning_tokens)


def _finish_from_proto(finish: pb.Finish) -> Finish:
    try:
        reason = msgspec.convert(finish.reason, FinishReason)
    except msgspec.ValidationError as error:
        raise BackendProtocolError(
            f"The model service ended a stream for a reason this version does not know: {finish.reason!r}."
        ) from error
    return Finish(reason, finish.stop if finish.HasField("stop") else None)


def _delta_to_proto(delta: TextDelta | ReasoningDelta) -> pb.TextDelta:
    return pb.TextDelta(
        text=delta.text,
        logprobs=[
            pb.TokenLogprob(
                token=token.token,
                logprob=token.logprob,
                utf8=bytes(token.bytes),
                top=[pb.TopLogprob(token=top.token, logprob=top.logprob, utf8=bytes(top.bytes)) for top in token.top],
            )
            for token in delta.logprobs
        ],
    )


def _logprobs_from_proto(logprobs: Iterable[pb.TokenLogprob]) -> tuple[TokenLogprob, ...]:
    return tuple(
        TokenLogprob(
            token.token,
            token.logprob,
            tuple(token.utf8),
            tuple(TopLogprob(top.token, top.logprob, tuple(top.utf8)) for top in token.top),
        )
        for token in logprobs
    )
