"""``POST /chat/completions``: the request as OpenAI and DeepSeek document it, to the canonical request.

Source: api-docs.deepseek.com "Create Chat Completion"; the fields ``enable_thinking`` and ``chat_template_kwargs`` as vLLM and Dify's generic plugin send them.
A value of the wrong type or out of bounds is 422; a combination that the documentation forbids is 400.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Protocol

import msgspec
from msgspec import Meta

from seekway.core.errors import InvalidParameter, InvalidRequest, UnsupportedParameter
from seekway.core.types import (
    GenerateRequest,
    JsonSchema,
    Message,
    ReasoningEffort,
    ResponseFormat,
    Sampling,
    Thinking,
)
from seekway.gateway.dialects.json_body import BodyDecoder, sendable
from seekway.gateway.dialects.openai_messages import WireMessage, read_messages, texts
from seekway.gateway.dialects.openai_tools import WireTool, WireToolChoice, check_strict, read_tool_choice, read_tools

_MOST_TOKENS = 393216
EFFORTS: dict[str, ReasoningEffort] = {
    "none": "none",
    "minimal": "low",
    "low": "low",
    "medium": "high",
    "high": "high",
    "xhigh": "high",
    "max": "max",
    "ultra": "max",
}

Tokens = Annotated[int, Meta(ge=1, le=_MOST_TOKENS)]
Temperature = Annotated[float, Meta(ge=0, le=2)]
Fraction = Annotated[float, Meta(ge=0, le=1)]
Penalty = Annotated[float, Meta(ge=-2, le=2)]
StopString = Annotated[str, Meta(min_length=1)]
Stop = StopString | Annotated[list[StopString], Meta(max_length=16)]
Seed = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]


class WireThinking(msgspec.Struct, frozen=True):
    type: Literal["enabled", "disabled"]


class WireJsonSchema(msgspec.Struct, frozen=True, rename={"schema_": "schema"}):
    name: str | None = None
    schema_: dict[str, Any] | None = None
    strict: bool | None = None


class WireResponseFormat(msgspec.Struct, frozen=True):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: WireJsonSchema | None = None


class WireStreamOptions(msgspec.Struct, frozen=True):
    include_usage: bool | None = None


class SampledBody(Protocol):
    """The members of a body that steer how tokens are drawn."""

    @property
    def temperature(self) -> float | None: ...

    @property
    def top_p(self) -> float | None: ...

    @property
    def top_k(self) -> int | None: ...

    @property
    def min_p(self) -> float | None: ...

    @property
    def frequency_penalty(self) -> float | None: ...

    @property
    def presence_penalty(self) -> float | None: ...

    @property
    def stop(self) -> Stop | None: ...

    @property
    def seed(self) -> int | None: ...


class ChatBody(msgspec.Struct, frozen=True):
    """Every field that is read; others are kept and handed to upstream servers."""

    model: Annotated[str, Meta(min_length=1)]
    messages: Annotated[list[WireMessage], Meta(min_length=1)]
    thinking: WireThinking | None = None
    enable_thinking: bool | None = None
    chat_template_kwargs: dict[str, Any] | None = None
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max", "ultra"] | None = None
    max_tokens: Tokens | None = None
    max_completion_tokens: Tokens | None = None
    temperature: Temperature | None = None
    top_p: Fraction | None = None
    top_k: Annotated[int, Meta(ge=-1, le=2**31 - 1)] | None = None
    min_p: Fraction | None = None
    frequency_penalty: Penalty | None = None
    presence_penalty: Penalty | None = None
    response_format: WireResponseFormat | None = None
    stop: Stop | None = None
    stream: bool | None = None
    stream_options: WireStreamOptions | None = None
    tools: Annotated[list[WireTool], Meta(max_length=128)] | None = None
    tool_choice: WireToolChoice | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    n: int | None = None
    seed: Seed | None = None
    user_id: str | None = None
    user: str | None = None


class Delivery(msgspec.Struct, frozen=True):
    """How the client wants the answer. ``include_usage`` None: usage on the last chunk; True: in a chunk of its own; False: not at all."""

    stream: bool = False
    include_usage: bool | None = None


_DECODER = BodyDecoder(ChatBody)
_THINKING_UNSAID = Thinking()
_TEXT = ResponseFormat()


def read_chat(body: bytes, request_id: str) -> tuple[GenerateRequest, Delivery]:
    """Raises ``MalformedBody``, ``InvalidRequest`` or ``UnsupportedParameter`` (400) and ``InvalidParameter`` (422)."""
    wire, extra = _DECODER.decode(body)
    if extra.get("functions") or extra.get("function_call"):
        raise UnsupportedParameter(
            "functions and function_call are gone; use tools and tool_choice.", param="functions"
        )
    refuse_several(wire.n)
    delivery = read_delivery(wire.stream, wire.stream_options)
    messages = read_messages(wire.messages)
    tools = read_tools(wire.tools or [])
    thinking = _THINKING_UNSAID
    if wire.chat_template_kwargs or not (wire.thinking is wire.enable_thinking is wire.reasoning_effort is None):
        template = dict(wire.chat_template_kwargs or {})
        thinking = _thinking(wire, template)
        if template:
            extra["chat_template_kwargs"] = template
    request = GenerateRequest(
        id=request_id,
        model=wire.model,
        messages=messages,
        sampling=_sampling(wire),
        tools=tools,
        tool_choice=read_tool_choice(wire.tool_choice, tools),
        response_format=_TEXT if wire.response_format is None else _response_format(wire.response_format, messages),
        thinking=thinking,
        user_id=read_user(wire.user_id, wire.user),
        stream=delivery.stream,
        extra=extra,
    )
    return sendable(request), delivery


def refuse_several(n: int | None) -> None:
    if n is not None and n != 1:
        raise UnsupportedParameter(f"n is {n}; only one answer a request is served: send n requests.", param="n")


def read_delivery(stream: bool | None, options: WireStreamOptions | None) -> Delivery:
    if options is None:
        return Delivery(bool(stream))
    if not stream:
        raise InvalidRequest("stream_options may only stand with stream: true.", param="stream_options")
    return Delivery(True, options.include_usage)


def read_user(user_id: str | None, user: str | None) -> str | None:
    chosen = user_id if user_id is not None else user
    if chosen is not None and len(chosen.encode()) > 512:
        raise InvalidParameter("user_id is longer than 512 bytes.", param="user_id" if user_id is not None else "user")
    return chosen or None


def read_stop(stop: str | list[str] | None) -> tuple[str, ...]:
    return (stop,) if isinstance(stop, str) else tuple(stop or ())


def read_sampling(wire: SampledBody, max_tokens: int | None, top_logprobs: int | None) -> Sampling:
    """What the three OpenAI dialects say alike; vLLM's ``top_k`` of -1 is none."""
    return Sampling(
        temperature=wire.temperature,
        top_p=wire.top_p,
        top_k=None if wire.top_k is None else max(wire.top_k, 0),
        min_p=wire.min_p,
        frequency_penalty=wire.frequency_penalty,
        presence_penalty=wire.presence_penalty,
        max_tokens=max_tokens,
        stop=read_stop(wire.stop),
        seed=wire.seed,
        top_logprobs=top_logprobs,
    )


def _sampling(wire: ChatBody) -> Sampling:
    if None not in (wire.max_tokens, wire.max_completion_tokens) and wire.max_tokens != wire.max_completion_tokens:
        raise InvalidRequest("max_tokens and max_completion_tokens differ; send one of them.", param="max_tokens")
    if wire.top_logprobs is not None and not wire.logprobs:
        raise InvalidRequest("top_logprobs may only stand with logprobs: true.", param="top_logprobs")
    most = wire.max_tokens if wire.max_tokens is not None else wire.max_completion_tokens
    return read_sampling(wire, most, (wire.top_logprobs or 0) if wire.logprobs else None)


def _thinking(wire: ChatBody, template: dict[str, Any]) -> Thinking:
    """One switch of the four spellings, DeepSeek's own first; takes the switches out of ``template``."""
    switches = [template.pop(name, None) for name in ("enable_thinking", "thinking")]
    effort = EFFORTS[wire.reasoning_effort] if wire.reasoning_effort is not None else None
    enabled = next((switch for switch in (wire.enable_thinking, *switches) if isinstance(switch, bool)), None)
    if wire.thinking is not None:
        enabled = wire.thinking.type == "enabled"
    if effort == "none":
        if wire.thinking is not None and enabled:
            raise InvalidRequest(
                "thinking is enabled but reasoning_effort is none; send one of them.", param="reasoning_effort"
            )
        enabled = False
    return Thinking(enabled, effort)


def _response_format(wire: WireResponseFormat, messages: tuple[Message, ...]) -> ResponseFormat:
    if wire.type == "json_object" and not any("json" in text.lower() for text in texts(messages)):
        raise InvalidRequest(
            "The prompt must contain the word JSON to use response_format json_object.", param="response_format"
        )
    if wire.type != "json_schema":
        return ResponseFormat(wire.type)
    schema: JsonSchema | None = wire.json_schema.schema_ if wire.json_schema else None
    if wire.json_schema is None or schema is None:
        raise InvalidParameter(
            "response_format.json_schema.schema is missing.", param="response_format.json_schema.schema"
        )
    if wire.json_schema.strict:
        check_strict(schema, "response_format.json_schema.schema")
    return ResponseFormat("json_schema", schema, wire.json_schema.name, bool(wire.json_schema.strict))
