"""``POST /responses``: the request as OpenAI and DeepSeek document it, to the canonical request.

Sources: OpenAI's API reference "Create a model response" and api-docs.deepseek.com "Using the Responses API".
As DeepSeek does, nothing is kept here: a conversation goes on by sending its items again.
A value of the wrong type or out of bounds is 422; a combination or a feature that is not served is 400.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from seekway.core.errors import InvalidParameter, InvalidRequest, UnsupportedParameter
from seekway.core.types import GenerateRequest, JsonSchema, Message, ResponseFormat, Sampling, Thinking
from seekway.gateway.dialects.json_body import BodyDecoder, sendable
from seekway.gateway.dialects.openai_chat import (
    EFFORTS,
    Fraction,
    Penalty,
    Seed,
    Stop,
    Temperature,
    Tokens,
    WireThinking,
    read_sampling,
)
from seekway.gateway.dialects.openai_messages import texts
from seekway.gateway.dialects.openai_responses_items import WireInputItem, read_input
from seekway.gateway.dialects.openai_responses_tools import (
    FunctionEcho,
    NamespaceEcho,
    ToolChoiceEcho,
    WireResponseTool,
    WireResponseToolChoice,
    read_response_choice,
    read_response_tools,
)
from seekway.gateway.dialects.openai_tools import check_strict

_CHAT_NAMES = {
    "messages": "input",
    "max_tokens": "max_output_tokens",
    "max_completion_tokens": "max_output_tokens",
    "response_format": "text.format",
    "reasoning_effort": "reasoning.effort",
    "functions": "tools",
}

Include = Literal[
    "file_search_call.results",
    "web_search_call.results",
    "web_search_call.action.sources",
    "message.input_image.image_url",
    "computer_call_output.output.image_url",
    "code_interpreter_call.outputs",
    "reasoning.encrypted_content",
    "message.output_text.logprobs",
]
Metadata = Annotated[
    dict[Annotated[str, Meta(max_length=64)], Annotated[str, Meta(max_length=512)]], Meta(max_length=16)
]
Verbosity = Literal["low", "medium", "high"]


class WireTextFormat(msgspec.Struct, frozen=True, omit_defaults=True, rename={"schema_": "schema"}):
    type: Literal["text", "json_object", "json_schema"]
    name: str | None = None
    schema_: dict[str, Any] | None = None
    strict: bool | None = None
    description: str | None = None


class WireTextConfig(msgspec.Struct, frozen=True, omit_defaults=True):
    format: WireTextFormat | None = None
    verbosity: Verbosity | None = None


class WireReasoning(msgspec.Struct, frozen=True):
    """``summary`` is taken and answered null: the reasoning itself is in the answer, nothing here sums it up."""

    effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max", "ultra"] | None = None
    summary: Literal["auto", "concise", "detailed"] | None = None


class ResponsesBody(msgspec.Struct, frozen=True):
    """Every field that is read; others are kept and handed to upstream servers. The last seven are chat's, taken here too."""

    model: Annotated[str, Meta(min_length=1)]
    input: str | list[WireInputItem] | None = None
    instructions: str | None = None
    stream: bool | None = None
    stream_options: dict[str, Any] | None = None
    store: bool | None = None
    include: list[Include] | None = None
    reasoning: WireReasoning | None = None
    text: WireTextConfig | None = None
    tools: Annotated[list[WireResponseTool], Meta(max_length=128)] | None = None
    tool_choice: WireResponseToolChoice | None = None
    parallel_tool_calls: bool | None = None
    max_tool_calls: Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)] | None = None
    max_output_tokens: Tokens | None = None
    temperature: Temperature | None = None
    top_p: Fraction | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    truncation: Literal["auto", "disabled"] | None = None
    metadata: Metadata | None = None
    safety_identifier: str | None = None
    user: str | None = None
    prompt_cache_key: str | None = None
    previous_response_id: str | None = None
    conversation: str | dict[str, Any] | None = None
    background: bool | None = None
    prompt: dict[str, Any] | None = None
    context_management: list[dict[str, Any]] | None = None
    moderation: dict[str, Any] | None = None
    thinking: WireThinking | None = None
    top_k: Annotated[int, Meta(ge=-1, le=2**31 - 1)] | None = None
    min_p: Fraction | None = None
    frequency_penalty: Penalty | None = None
    presence_penalty: Penalty | None = None
    stop: Stop | None = None
    seed: Seed | None = None


class ReasoningEcho(msgspec.Struct, frozen=True):
    effort: str | None = None
    summary: None = None


class RequestEcho(msgspec.Struct, frozen=True, kw_only=True):
    """What a response object repeats of its request. ``store`` and ``truncation`` say what is done, not what was asked."""

    background: bool = False
    instructions: str | None = None
    max_output_tokens: int | None = None
    max_tool_calls: int | None = None
    metadata: dict[str, str] = {}
    parallel_tool_calls: bool = True
    previous_response_id: None = None
    prompt_cache_key: str | UnsetType = UNSET
    reasoning: ReasoningEcho = ReasoningEcho()
    safety_identifier: str | None = None
    store: bool = False
    temperature: float | None = None
    text: WireTextConfig = WireTextConfig(WireTextFormat("text"))
    tool_choice: ToolChoiceEcho = "auto"
    tools: tuple[FunctionEcho | NamespaceEcho, ...] = ()
    top_logprobs: int = 0
    top_p: float | None = None
    truncation: Literal["disabled"] = "disabled"
    user: str | None = None


class ResponsesDelivery(msgspec.Struct, frozen=True):
    """How the client wants the answer; ``encrypted_reasoning`` gives reasoning items their ``encrypted_content``.

    ``namespaced`` are the functions of namespaces, by the name that the model knows: namespace and name as the client knows them.
    """

    stream: bool = False
    encrypted_reasoning: bool = False
    echo: RequestEcho = RequestEcho()
    namespaced: dict[str, tuple[str, str]] = {}


_DECODER = BodyDecoder(ResponsesBody)


def read_response_request(body: bytes, request_id: str) -> tuple[GenerateRequest, ResponsesDelivery]:
    """Raises ``MalformedBody``, ``InvalidRequest`` or ``UnsupportedParameter`` (400) and ``InvalidParameter`` (422)."""
    wire, extra = _DECODER.decode(body)
    _refuse(wire, extra)
    messages = read_input(wire.input, wire.instructions)
    offered, namespaced, tools_echo = read_response_tools(wire.tools or [])
    choice, tools, choice_echo = read_response_choice(wire.tool_choice, offered)
    text = wire.text or WireTextConfig()
    request = GenerateRequest(
        id=request_id,
        model=wire.model,
        messages=messages,
        sampling=_sampling(wire),
        tools=tools,
        tool_choice=choice,
        response_format=_response_format(text.format, messages),
        thinking=_thinking(wire),
        user_id=_user(wire),
        stream=bool(wire.stream),
        extra=_extra(wire, text, extra),
    )
    echo = RequestEcho(
        instructions=wire.instructions,
        max_output_tokens=wire.max_output_tokens,
        max_tool_calls=wire.max_tool_calls,
        metadata=wire.metadata or {},
        parallel_tool_calls=wire.parallel_tool_calls is not False,
        prompt_cache_key=wire.prompt_cache_key if wire.prompt_cache_key is not None else UNSET,
        reasoning=ReasoningEcho(wire.reasoning.effort if wire.reasoning else None),
        safety_identifier=wire.safety_identifier,
        temperature=wire.temperature,
        text=WireTextConfig(text.format or WireTextFormat("text"), text.verbosity),
        tool_choice=choice_echo,
        tools=tools_echo,
        top_logprobs=wire.top_logprobs or 0,
        top_p=wire.top_p,
        user=wire.user,
    )
    include = wire.include or ()
    wrapped = "reasoning.encrypted_content" in include
    return sendable(request), ResponsesDelivery(bool(wire.stream), wrapped, echo, namespaced)


def _refuse(wire: ResponsesBody, extra: dict[str, Any]) -> None:
    """What would need something to be kept here, or run here, is refused; nothing is left out in silence."""
    if wire.previous_response_id is not None:
        raise UnsupportedParameter(
            "previous_response_id is not served, since no responses are kept here; send the earlier input and output items in input.",
            param="previous_response_id",
        )
    if wire.conversation is not None:
        raise UnsupportedParameter(
            "conversation is not served, since no conversations are kept here; send their items in input.",
            param="conversation",
        )
    if wire.background:
        raise UnsupportedParameter(
            "background is not served, since no responses are kept here to ask for later; send the items with stream: true and read the answer at once.",
            param="background",
        )
    for name in ("prompt", "context_management", "moderation"):
        if getattr(wire, name):
            raise UnsupportedParameter(f"{name} is not served; send the items in input without it.", param=name)
    for name, instead in _CHAT_NAMES.items():
        if extra.get(name) is not None:
            raise UnsupportedParameter(f"{name} is a parameter of chat completions; use {instead} here.", param=name)


def _sampling(wire: ResponsesBody) -> Sampling:
    wanted = "message.output_text.logprobs" in (wire.include or ())
    return read_sampling(
        wire, wire.max_output_tokens, (wire.top_logprobs or 0) if wanted or wire.top_logprobs else None
    )


def _thinking(wire: ResponsesBody) -> Thinking:
    effort = EFFORTS[wire.reasoning.effort] if wire.reasoning and wire.reasoning.effort is not None else None
    enabled = wire.thinking.type == "enabled" if wire.thinking is not None else None
    if effort == "none":
        if enabled:
            raise InvalidRequest(
                "thinking is enabled but reasoning.effort is none; send one of them.", param="reasoning.effort"
            )
        enabled = False
    return Thinking(enabled, effort)


def _user(wire: ResponsesBody) -> str | None:
    name, chosen = (
        ("safety_identifier", wire.safety_identifier) if wire.safety_identifier is not None else ("user", wire.user)
    )
    if chosen is not None and len(chosen.encode()) > 512:
        raise InvalidParameter(f"{name} is longer than 512 bytes.", param=name)
    return chosen or None


def _response_format(wire: WireTextFormat | None, messages: tuple[Message, ...]) -> ResponseFormat:
    if wire is None:
        return ResponseFormat()
    if wire.type == "json_object" and not any("json" in text.lower() for text in texts(messages)):
        raise InvalidRequest(
            "The input must contain the word JSON to use text.format json_object.", param="text.format"
        )
    if wire.type != "json_schema":
        return ResponseFormat(wire.type)
    schema: JsonSchema | None = wire.schema_
    if schema is None:
        raise InvalidParameter("text.format.schema is missing.", param="text.format.schema")
    if wire.strict:
        check_strict(schema, "text.format.schema")
    return ResponseFormat("json_schema", schema, wire.name, bool(wire.strict))


def _extra(wire: ResponsesBody, text: WireTextConfig, extra: dict[str, Any]) -> dict[str, Any]:
    """Parameters that chat completions know by the same name go on to upstream servers."""
    named = {
        # OpenAI's chat refuses it where there are no tools.
        "parallel_tool_calls": wire.parallel_tool_calls if wire.tools else None,
        "prompt_cache_key": wire.prompt_cache_key,
        "verbosity": text.verbosity,
    }
    return extra | {name: value for name, value in named.items() if value is not None}
