"""What the clients take and give."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import uuid4

import msgspec

from seekway.core.types import (
    Event,
    Finish,
    FinishReason,
    GenerateRequest,
    Message,
    ReasoningDelta,
    Replacement,
    Sampling,
    TextDelta,
    Thinking,
    Usage,
)


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How to answer; what is left out is the model's own default. ``timeout_s`` bounds the whole answer."""

    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    thinking: bool | None = None
    timeout_s: float | None = None


class Delta(msgspec.Struct, frozen=True):
    """A piece of an answer: of its text, or of the reasoning that precedes it."""

    text: str = ""
    reasoning: str = ""


class Answer(msgspec.Struct, frozen=True):
    """A whole answer; ``finish`` says why it ended, ``stop`` or ``length`` most often."""

    text: str
    reasoning: str
    finish: FinishReason
    usage: Usage


def chat_request(model: str, messages: Sequence[Message], options: Options) -> GenerateRequest:
    return GenerateRequest(
        id=uuid4().hex,
        model=model,
        messages=tuple(messages),
        sampling=Sampling(
            temperature=options.temperature,
            top_p=options.top_p,
            max_tokens=options.max_tokens,
            stop=options.stop,
            seed=options.seed,
        ),
        thinking=Thinking(enabled=options.thinking),
        deadline_s=options.timeout_s,
    )


def delta_of(event: Event) -> Delta | None:
    """The piece an event carries; None for those that carry none."""
    if isinstance(event, TextDelta | Replacement):
        return Delta(text=event.text)
    if isinstance(event, ReasoningDelta):
        return Delta(reasoning=event.text)
    return None


def answer_of(events: Sequence[Event]) -> Answer:
    """A finished stream as one answer."""
    for position, event in enumerate(events):
        if isinstance(event, Replacement):
            events = (TextDelta(event.text), *events[position + 1 :])
            break
    usage = next((event for event in events if isinstance(event, Usage)), Usage(0, 0))
    finish = next((event for event in events if isinstance(event, Finish)), Finish("aborted"))
    return Answer(
        text="".join(event.text for event in events if isinstance(event, TextDelta)),
        reasoning="".join(event.text for event in events if isinstance(event, ReasoningDelta)),
        finish=finish.reason,
        usage=usage,
    )
