"""Any events, to every dialect's encoder: what is written can be read again, nothing is lost, and the end stands once."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from seekway.core.errors import EngineCrashed, SeekwayError
from seekway.core.types import (
    ErrorEvent,
    Event,
    Finish,
    ReasoningDelta,
    TextDelta,
    TokenLogprob,
    ToolCallDelta,
    TopLogprob,
    Usage,
)
from seekway.engine.upstream.response_events import FINISH_REASONS
from seekway.engine.upstream.sse import SseParser
from seekway.gateway.dialects.anthropic_answer import MessageCollector, MessageHead, MessageStream
from seekway.gateway.dialects.anthropic_messages import AnthropicDelivery
from seekway.gateway.dialects.openai_chat import Delivery
from seekway.gateway.dialects.openai_chat_answer import AnswerHead, ChatCollector, ChatStream
from seekway.gateway.dialects.openai_completions import CompletionCollector, CompletionStream
from seekway.gateway.dialects.openai_responses import ResponsesDelivery
from seekway.gateway.dialects.openai_responses_answer import ResponsesCollector, ResponsesStream
from seekway.gateway.encoder import Encoder
from tests.fuzz.choices import Choices

MOST_BYTES = 16_384
_HEAD = AnswerHead("id-1", "chat.completion", 1, "m", "fp")
_MESSAGE = MessageHead("msg_1", "m", "req_1")
_Make = Callable[[Choices], Encoder]
_LAST = {"[DONE]", "message_stop", "response.completed", "response.incomplete", "response.failed"}


def _delivery(choices: Choices) -> Delivery:
    return Delivery(stream=True, include_usage=choices.pick((None, True, False)))


def _clock() -> float:
    return 1.0


STREAMS: tuple[_Make, ...] = (
    lambda choices: ChatStream(_HEAD, _delivery(choices)),
    lambda choices: CompletionStream(_HEAD, _delivery(choices)),
    lambda choices: MessageStream(_MESSAGE, AnthropicDelivery(True, choices.chance(2))),
    lambda choices: ResponsesStream(_HEAD, ResponsesDelivery(True, choices.chance(2)), _clock),
)
COLLECTORS: tuple[_Make, ...] = (
    lambda _: ChatCollector(_HEAD),
    lambda _: CompletionCollector(_HEAD),
    lambda choices: MessageCollector(_MESSAGE, AnthropicDelivery(False, choices.chance(2))),
    lambda choices: ResponsesCollector(_HEAD, ResponsesDelivery(False, choices.chance(2)), _clock),
)


def attack(data: bytes) -> None:
    choices = Choices(data[:MOST_BYTES])
    streamed = choices.chance(2)
    encoder = choices.pick(STREAMS if streamed else COLLECTORS)(choices)
    events = _events(choices)
    name = type(encoder).__name__
    written = _write(encoder, list(events), choices)
    if streamed:
        payloads = _payloads(name, written)
        ends = [at for at, payload in enumerate(payloads) if _is_end(payload)]
        assert ends == [len(payloads) - 1], f"{name} ends {len(ends)} times, or goes on behind its end: {written!r}"
        if name == "ChatStream" and b'"error"' not in written:
            said = "".join(_content(payload) for payload in payloads[:-1])
            told = "".join(event.text for event in events if isinstance(event, TextDelta))
            assert said == told, f"{name} says {said!r} for {told!r}."
    else:
        _json(name, written)


def _events(choices: Choices) -> list[Event]:
    """Mostly in the promised order; sometimes nothing holds."""
    made: list[Event] = []
    wild = choices.chance(6)
    while choices and len(made) < 40:
        made.append(_delta(choices, wild=wild))
    if wild:
        made += [choices.pick((Usage(1, 2), Finish("stop"), ErrorEvent("c", "m"))) for _ in range(choices.below(3))]
        return made
    reason = choices.pick(tuple(FINISH_REASONS.values()))
    return [*made, Usage(choices.below(256), choices.below(256), 1, 1), Finish(reason, choices.pick((None, "END")))]


def _delta(choices: Choices, *, wild: bool) -> Event:
    match choices.below(3):
        case 0:
            return TextDelta(choices.text(), _logprobs(choices))
        case 1:
            return ReasoningDelta(choices.text(), _logprobs(choices))
        case _:
            index = choices.below(3)
            first = choices.chance(2) or not wild
            return ToolCallDelta(index, f"c{index}" if first else None, "f" if first else None, choices.text())


def _logprobs(choices: Choices) -> tuple[TokenLogprob, ...]:
    if not choices.chance(6):
        return ()
    value = choices.pick((-0.5, 0.0, float("-inf"), float("nan"), -1e308))
    return (TokenLogprob(choices.text(), value, (255,), (TopLogprob(choices.text(), value),)),)


def _write(encoder: Encoder, events: list[Event], choices: Choices) -> bytes:
    """In batches with keep-alives between; a failure is the rest of the answer, as a call has it."""
    written = bytearray()
    try:
        while events:
            size = 1 + choices.below(4)
            written += encoder.feed(events[:size])
            events = events[size:]
            if choices.chance(4):
                written += encoder.keep_alive
        if choices.chance(8):
            raise EngineCrashed("The engine crashed; send the request again.")
        written += encoder.end()
    except SeekwayError as error:
        written += encoder.fail(error)
    return bytes(written)


def _payloads(name: str, written: bytes) -> list[Any]:
    assert written.endswith(b"\n\n"), f"{name} leaves its last event open: {written[-200:]!r}"
    made: list[Any] = []
    for event in SseParser(1 << 24).feed(written):
        payload: Any = event.data.decode() if event.data == b"[DONE]" else _json(name, event.data)
        if event.event != "message":
            assert payload["type"] == event.event, f"{name} names an event {event.event} that is {payload}."
        made.append(payload)
    return made


def _json(name: str, text: bytes) -> Any:
    def refuse(word: str) -> None:
        raise AssertionError(f"{name} writes {word}, which is no JSON.")

    try:
        return json.loads(text, parse_constant=refuse)
    except ValueError as error:
        raise AssertionError(f"{name} writes what is no JSON: {text[:500]!r}") from error


def _is_end(payload: Any) -> bool:
    if payload == "[DONE]" or payload.get("type") in _LAST:
        return True
    # In the Responses' dialect the error is told before the response that failed.
    return "error" in payload and "sequence_number" not in payload


def _content(payload: Any) -> str:
    return "".join(choice["delta"].get("content") or "" for choice in payload["choices"])
