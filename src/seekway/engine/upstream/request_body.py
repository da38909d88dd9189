"""The canonical request as an OpenAI-compatible body, and the address it goes to.

Parameters in ``extra`` are passed on untouched; where a name stands on both sides, the canonical request's value is sent.

Kind ``deepseek`` (source: DeepSeek's API reference): ``thinking`` and ``reasoning_effort``; a last message with ``prefix``
and tools with ``strict`` go to the beta address; prompts (fill-in-the-middle) go to its ``/completions``.

Kind ``openai`` is any other server. Thinking is switched through ``chat_template_kwargs``, under both names that templates use
(DeepSeek's ``thinking``, Qwen's ``enable_thinking``), as vLLM and SGLang read it; a prefix is asked for by
``continue_final_message``. OpenAI's own cloud knows neither, and its limit is called ``max_completion_tokens``.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, cast
from urllib.parse import urlsplit

from seekway.core.errors import InvalidRequest, UnsupportedParameter
from seekway.core.sections.backends import BackendSettings
from seekway.core.types import (
    ContentPart,
    GenerateRequest,
    ImagePart,
    Message,
    ResponseFormat,
    Sampling,
    TextPart,
    Tool,
    ToolChoice,
)

Server = Literal["deepseek", "openai_cloud", "compatible"]


class WireRequest(NamedTuple):
    """``url`` is where ``body``, still to be encoded as JSON, is posted."""

    url: str
    body: dict[str, Any]


def generate_request(request: GenerateRequest, settings: BackendSettings) -> WireRequest:
    """The request for ``request``, streamed or not as it says; raises ``UnsupportedParameter`` for what the server's protocol cannot say."""
    if request.extra.get("n") not in (None, 1):
        raise UnsupportedParameter("Ask for one choice at a time: n must be 1.", param="n")
    server = server_of(settings)
    base = settings.base_url.rstrip("/")
    body = _shared_members(request, server)
    if request.prompt is None:
        _add_chat(body, request, server)
        beta = server == "deepseek" and (_continues(request) or any(tool.strict for tool in request.tools))
        return WireRequest(f"{beta_address(base) if beta else base}/chat/completions", body)
    if server == "deepseek" and not isinstance(request.prompt, str):
        raise UnsupportedParameter("DeepSeek takes a prompt as text, not as token ids.", param="prompt")
    _add_completion(body, request)
    return WireRequest(f"{beta_address(base) if server == 'deepseek' else base}/completions", body)


def server_of(settings: BackendSettings) -> Server:
    if settings.kind == "deepseek":
        return "deepseek"
    return "openai_cloud" if urlsplit(settings.base_url).hostname == "api.openai.com" else "compatible"


def beta_address(base_url: str) -> str:
    """DeepSeek's beta address beside ``base_url``: ``/v1`` gives way to ``/beta``."""
    base = base_url.rstrip("/")
    return base if base.endswith("/beta") else base.removesuffix("/v1") + "/beta"


def _shared_members(request: GenerateRequest, server: Server) -> dict[str, Any]:
    body = dict(request.extra)
    asked = body.pop("stream_options", None)
    body |= {"model": request.model, "stream": request.stream}
    if request.stream:
        options = cast("dict[str, Any]", asked) if isinstance(asked, dict) else {}
        body["stream_options"] = {**options, "include_usage": True}
    body |= _sampling(request.sampling, server, chat=request.prompt is None, limit_set="max_completion_tokens" in body)
    if request.user_id is not None:
        body["user_id" if server == "deepseek" else "user"] = request.user_id
    return body


def _sampling(sampling: Sampling, server: Server, *, chat: bool, limit_set: bool) -> dict[str, Any]:
    limit = "max_completion_tokens" if server == "openai_cloud" and chat else "max_tokens"
    members: dict[str, Any] = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "min_p": sampling.min_p,
        "frequency_penalty": sampling.frequency_penalty,
        "presence_penalty": sampling.presence_penalty,
        limit: None if limit_set else sampling.max_tokens,
        "stop": list(sampling.stop) or None,
        "seed": sampling.seed,
    }
    if chat and sampling.top_logprobs is not None:
        members |= {"logprobs": True, "top_logprobs": sampling.top_logprobs or None}
    elif sampling.top_logprobs is not None:
        members["logprobs"] = sampling.top_logprobs
    return {name: value for name, value in members.items() if value is not None}


def _add_chat(body: dict[str, Any], request: GenerateRequest, server: Server) -> None:
    if not request.messages:
        raise InvalidRequest("messages must hold at least one message.", param="messages")
    body["messages"] = [_message(message, server) for message in request.messages]
    if request.tools:
        body["tools"] = [_tool(tool) for tool in request.tools]
        choice = _tool_choice(request.tool_choice)
        if choice != "auto":
            body["tool_choice"] = choice
    if request.response_format.type != "text":
        body["response_format"] = _response_format(request.response_format)
    _add_thinking(body, request, server)
    if _continues(request):
        _add_prefix(body, server)


def _add_thinking(body: dict[str, Any], request: GenerateRequest, server: Server) -> None:
    thinking = request.thinking
    if thinking.effort is not None:
        # "max" is DeepSeek's word; the other servers' scale ends at "high".
        effort = "high" if thinking.effort == "max" and server != "deepseek" else thinking.effort
        body["reasoning_effort"] = effort
    if thinking.enabled is None or server == "openai_cloud":
        return
    if server == "deepseek":
        body["thinking"] = {"type": "enabled" if thinking.enabled else "disabled"}
        return
    asked = body.get("chat_template_kwargs")
    given = cast("dict[str, Any]", asked) if isinstance(asked, dict) else {}
    body["chat_template_kwargs"] = {"thinking": thinking.enabled, "enable_thinking": thinking.enabled, **given}


def _add_prefix(body: dict[str, Any], server: Server) -> None:
    if server == "openai_cloud":
        raise UnsupportedParameter("OpenAI's API cannot continue an assistant message.", param="messages")
    body["messages"][-1]["prefix"] = True
    if server == "compatible":
        body["continue_final_message"] = True
        body["add_generation_prompt"] = False


def _add_completion(body: dict[str, Any], request: GenerateRequest) -> None:
    prompt = request.prompt
    body["prompt"] = list(prompt) if isinstance(prompt, tuple) else prompt
    if request.suffix is not None:
        body["suffix"] = request.suffix
    if request.echo:
        body["echo"] = True


def _continues(request: GenerateRequest) -> bool:
    return bool(request.messages) and request.messages[-1].prefix


def _message(message: Message, server: Server) -> dict[str, Any]:
    content = message.content if isinstance(message.content, str) else [_part(part) for part in message.content]
    wire: dict[str, Any] = {"role": message.role, "content": content}
    if message.name is not None:
        wire["name"] = message.name
    if message.reasoning is not None and server != "openai_cloud":
        wire["reasoning_content"] = message.reasoning
    if message.tool_calls:
        wire["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        wire["tool_call_id"] = message.tool_call_id
    return wire


def _part(part: ContentPart) -> dict[str, Any]:
    if isinstance(part, TextPart):
        return {"type": "text", "text": part.text}
    if isinstance(part, ImagePart):
        return {"type": "image_url", "image_url": {"url": part.url, "detail": part.detail}}
    members = {"file_id": part.file_id, "file_data": part.data, "filename": part.filename}
    return {"type": "file", "file": {name: value for name, value in members.items() if value is not None}}


def _tool(tool: Tool) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    if tool.strict:
        function["strict"] = True
    return {"type": "function", "function": function}


def _tool_choice(choice: ToolChoice) -> str | dict[str, Any]:
    if choice.mode == "named":
        return {"type": "function", "function": {"name": choice.function}}
    return choice.mode


def _response_format(response_format: ResponseFormat) -> dict[str, Any]:
    if response_format.type == "json_object":
        return {"type": "json_object"}
    schema: dict[str, Any] = {"name": response_format.name or "answer", "schema": response_format.schema or {}}
    if response_format.strict:
        schema["strict"] = True
    return {"type": "json_schema", "json_schema": schema}
