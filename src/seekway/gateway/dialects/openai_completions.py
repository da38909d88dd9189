"""``POST /completions`` and DeepSeek's ``/beta/completions`` (fill in the middle), request and answer.

Source: api-docs.deepseek.com "Create FIM Completion"; log-probabilities in OpenAI's legacy shape.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

from seekway.core.errors import InvalidParameter, SeekwayError, StreamInterrupted, UnsupportedParameter
from seekway.core.types import (
    Event,
    Finish,
    FinishReason,
    GenerateRequest,
    ReasoningDelta,
    Replacement,
    TextDelta,
    Thinking,
    TokenLogprob,
    ToolCallDelta,
    Usage,
)
from seekway.gateway.dialects.json_body import BodyDecoder, sendable
from seekway.gateway.dialects.openai_chat import (
    Delivery,
    Fraction,
    Penalty,
    Seed,
    Stop,
    Temperature,
    Tokens,
    WireStreamOptions,
    read_delivery,
    read_sampling,
    read_user,
    refuse_several,
)
from seekway.gateway.dialects.openai_chat_answer import BLOCK_END, COMMENT, DONE, AnswerHead
from seekway.gateway.dialects.openai_errors import encode_error
from seekway.gateway.dialects.openai_usage import WireUsage, wire_usage

_MOST_FILL_IN = 4096
TokenId = Annotated[int, Meta(ge=0, le=2**31 - 1)]


class CompletionBody(msgspec.Struct, frozen=True):
    model: Annotated[str, Meta(min_length=1)]
    prompt: str | list[str | TokenId | list[TokenId]]
    suffix: str | None = None
    echo: bool | None = None
    max_tokens: Tokens | None = None
    temperature: Temperature | None = None
    top_p: Fraction | None = None
    top_k: Annotated[int, Meta(ge=-1, le=2**31 - 1)] | None = None
    min_p: Fraction | None = None
    frequency_penalty: Penalty | None = None
    presence_penalty: Penalty | None = None
    stop: Stop | None = None
    stream: bool | None = None
    stream_options: WireStreamOptions | None = None
    logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    n: int | None = None
    best_of: int | None = None
    seed: Seed | None = None
    user_id: str | None = None
    user: str | None = None


class WireLegacyLogprobs(msgspec.Struct, frozen=True):
    """Parallel lists; ``text_offset`` counts characters from the answer's first."""

    tokens: tuple[str, ...]
    token_logprobs: tuple[float, ...]
    top_logprobs: tuple[dict[str, float], ...]
    text_offset: tuple[int, ...]


class WireCompletionChoice(msgspec.Struct, frozen=True):
    text: str
    index: int = 0
    logprobs: WireLegacyLogprobs | None = None
    finish_reason: FinishReason | None = None


class Completion(msgspec.Struct, frozen=True):
    """Whole answer and chunk alike."""

    id: str
    object: str
    created: int
    model: str
    system_fingerprint: str
    choices: tuple[WireCompletionChoice, ...]
    usage: WireUsage | msgspec.UnsetType | None = msgspec.UNSET


_DECODER = BodyDecoder(CompletionBody)
_encode = msgspec.json.Encoder().encode


def read_completion(body: bytes, request_id: str, *, beta: bool) -> tuple[GenerateRequest, Delivery]:
    """``beta``: on DeepSeek's beta address, where at most 4096 tokens may be asked for; a suffix bounds them everywhere."""
    wire, extra = _DECODER.decode(body)
    refuse_several(wire.n)
    if wire.best_of is not None and wire.best_of != 1:
        raise UnsupportedParameter("best_of must be 1; only one answer a request is made.", param="best_of")
    if (beta or wire.suffix is not None) and (wire.max_tokens or 0) > _MOST_FILL_IN:
        raise InvalidParameter(f"max_tokens: at most {_MOST_FILL_IN} here.", param="max_tokens")
    delivery = read_delivery(wire.stream, wire.stream_options)
    request = GenerateRequest(
        id=request_id,
        model=wire.model,
        prompt=_prompt(wire.prompt),
        suffix=wire.suffix,
        echo=bool(wire.echo),
        sampling=read_sampling(wire, wire.max_tokens, wire.logprobs),
        thinking=Thinking(enabled=False),
        user_id=read_user(wire.user_id, wire.user),
        stream=delivery.stream,
        extra=extra,
    )
    return sendable(request), delivery


def _prompt(prompt: str | list[str | int | list[int]]) -> str | tuple[int, ...]:
    if isinstance(prompt, str):
        return prompt
    ids = tuple(item for item in prompt if isinstance(item, int))
    if ids and len(ids) == len(prompt):
        return ids
    if len(prompt) != 1:
        raise UnsupportedParameter("prompt holds several prompts or none; send one a request.", param="prompt")
    only = prompt[0]
    if isinstance(only, list):
        if not only:
            raise InvalidParameter("prompt holds an empty list of tokens.", param="prompt")
        return tuple(only)
    return only if isinstance(only, str) else (only,)


class _LegacyLogprobs:
    """Counts the characters answered so far for ``text_offset``."""

    def __init__(self) -> None:
        self._offset = 0

    def wire(self, tokens: Sequence[TokenLogprob]) -> WireLegacyLogprobs | None:
        if not tokens:
            return None
        offsets: list[int] = []
        for token in tokens:
            offsets.append(self._offset)
            self._offset += len(token.token)
        return WireLegacyLogprobs(
            tuple(token.token for token in tokens),
            tuple(token.logprob for token in tokens),
            tuple({top.token: top.logprob for top in token.top} for token in tokens),
            tuple(offsets),
        )


class CompletionStream:
    """Server-sent events; usage stands once, on the last chunk."""

    media_type = "text/event-stream; charset=utf-8"
    keep_alive = COMMENT

    def __init__(self, head: AnswerHead, delivery: Delivery) -> None:
        self._head = head
        self._include_usage = delivery.include_usage
        self._usage: Usage | None = None
        self._logprobs = _LegacyLogprobs()

    def feed(self, events: Sequence[Event]) -> bytes:
        blocks: list[bytes] = []
        for event in events:
            match event:
                case TextDelta() | ReasoningDelta():
                    choice = WireCompletionChoice(event.text, logprobs=self._logprobs.wire(event.logprobs))
                    blocks.append(self._block((choice,)))
                case Usage():
                    self._usage = event
                case Finish():
                    usage = None if self._usage is None else wire_usage(self._usage)
                    last = self._include_usage is None and usage is not None
                    choice = WireCompletionChoice("", finish_reason=event.reason)
                    blocks.append(self._block((choice,), usage if last else None))
                    if self._include_usage:
                        blocks.append(self._block((), usage))
                case ToolCallDelta():
                    pass  # a raw completion has no tools to call
                case Replacement():
                    blocks.append(self._block((WireCompletionChoice(event.text),)))
                case _:
                    raise StreamInterrupted(event.message)
        return b"".join(blocks)

    def end(self) -> bytes:
        return DONE

    def fail(self, error: SeekwayError) -> bytes:
        return b"data: " + encode_error(error) + BLOCK_END

    def _block(self, choices: tuple[WireCompletionChoice, ...], usage: WireUsage | None = None) -> bytes:
        absent = None if self._include_usage else msgspec.UNSET
        return b"data: " + _encode(_completion(self._head, choices, usage or absent)) + BLOCK_END


class CompletionCollector:
    """One JSON object when all has come."""

    media_type = "application/json"
    keep_alive = b"\n"

    def __init__(self, head: AnswerHead) -> None:
        self._head = head
        self._text: list[str] = []
        self._tokens: list[TokenLogprob] = []
        self._usage: Usage | None = None
        self._finish: Finish | None = None

    def feed(self, events: Sequence[Event]) -> bytes:
        for event in events:
            match event:
                case TextDelta() | ReasoningDelta():
                    self._text.append(event.text)
                    self._tokens += event.logprobs
                case Usage():
                    self._usage = event
                case Finish():
                    self._finish = event
                case ToolCallDelta():
                    pass  # a raw completion has no tools to call
                case Replacement():
                    self._text, self._tokens = [event.text], []
                case _:
                    raise StreamInterrupted(event.message)
        return b""

    def end(self) -> bytes:
        if self._finish is None or self._usage is None:
            raise StreamInterrupted("The model's answer broke off before its end; send the request again.")
        choice = WireCompletionChoice(
            "".join(self._text), logprobs=_LegacyLogprobs().wire(self._tokens), finish_reason=self._finish.reason
        )
        return _encode(_completion(self._head, (choice,), wire_usage(self._usage)))

    def fail(self, error: SeekwayError) -> bytes:
        return encode_error(error)


def _completion(
    head: AnswerHead, choices: tuple[WireCompletionChoice, ...], usage: WireUsage | msgspec.UnsetType | None
) -> Completion:
    return Completion(head.id, head.object, head.created, head.model, head.system_fingerprint, choices, usage)
