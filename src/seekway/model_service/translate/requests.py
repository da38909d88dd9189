"""Requests. Every function raises ``InvalidRequest`` for a value that the other form cannot hold."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, cast

import msgspec

from seekway.core.errors import InvalidRequest
from seekway.core.types import (
    ContentPart,
    EmbedRequest,
    FilePart,
    GenerateRequest,
    ImagePart,
    Message,
    ReasoningEffort,
    RerankRequest,
    ResponseFormat,
    Role,
    Sampling,
    TextPart,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
)
from seekway.model_service.contract import model_service_pb2 as pb

_ROLES: dict[Role, pb.Role] = {
    "system": pb.ROLE_SYSTEM,
    "user": pb.ROLE_USER,
    "assistant": pb.ROLE_ASSISTANT,
    "tool": pb.ROLE_TOOL,
}
_ROLE_NAMES: dict[pb.Role, Role] = {number: name for name, number in _ROLES.items()}
_SAMPLING = tuple(field for field in Sampling.__struct_fields__ if field != "stop")


@contextmanager
def _held() -> Generator[None, None, None]:
    """Protobuf and JSON refuse lone surrogates and numbers out of range with errors of their own."""
    try:
        yield
    except (ValueError, TypeError, OverflowError, msgspec.MsgspecError) as error:
        raise InvalidRequest(f"The request holds a value that cannot be passed on: {error}.") from error


def generate_to_proto(request: GenerateRequest) -> pb.GenerateRequest:
    with _held():
        message = pb.GenerateRequest(
            id=request.id,
            model=request.model,
            messages=[_message_to_proto(turn) for turn in request.messages],
            suffix=request.suffix,
            echo=request.echo,
            sampling=pb.Sampling(
                stop=request.sampling.stop, **{name: getattr(request.sampling, name) for name in _SAMPLING}
            ),
            tools=[_tool_to_proto(tool) for tool in request.tools],
            tool_choice=pb.ToolChoice(
                mode=f"MODE_{request.tool_choice.mode.upper()}",
                function=request.tool_choice.function,
            ),
            response_format=_format_to_proto(request.response_format),
            thinking=pb.Thinking(enabled=request.thinking.enabled, effort=request.thinking.effort),
            user_id=request.user_id,
            extra_json=_to_json(request.extra) if request.extra else "",
            whole=not request.stream,
        )
        if isinstance(request.prompt, str):
            message.prompt_text = request.prompt
        elif request.prompt is not None:
            message.prompt_tokens.CopyFrom(pb.TokenIds(ids=request.prompt))
        return message


def generate_from_proto(message: pb.GenerateRequest, deadline_s: float | None) -> GenerateRequest:
    with _held():
        return GenerateRequest(
            id=message.id,
            model=message.model,
            messages=tuple(_message_from_proto(turn) for turn in message.messages),
            prompt=_prompt_from_proto(message),
            suffix=message.suffix if message.HasField("suffix") else None,
            echo=message.echo,
            sampling=_sampling_from_proto(message.sampling),
            tools=tuple(_tool_from_proto(tool) for tool in message.tools),
            tool_choice=_choice_from_proto(message.tool_choice),
            response_format=_format_from_proto(message.response_format),
            thinking=_thinking_from_proto(message.thinking),
            user_id=message.user_id if message.HasField("user_id") else None,
            deadline_s=deadline_s,
            stream=not message.whole,
            extra=_object_from_json(message.extra_json),
        )


def embed_to_proto(request: EmbedRequest) -> pb.EmbedRequest:
    with _held():
        return pb.EmbedRequest(
            id=request.id,
            model=request.model,
            inputs=request.inputs,
            purpose=request.purpose,
            dimensions=request.dimensions,
        )


def embed_from_proto(message: pb.EmbedRequest, deadline_s: float | None) -> EmbedRequest:
    if message.purpose not in ("", "query", "passage"):
        raise InvalidRequest("The purpose of an embedding is query or passage.", param="purpose")
    return EmbedRequest(
        id=message.id,
        model=message.model,
        inputs=tuple(message.inputs),
        purpose="query" if message.purpose == "query" else "passage",
        dimensions=message.dimensions if message.HasField("dimensions") else None,
        deadline_s=deadline_s,
    )


def rerank_to_proto(request: RerankRequest) -> pb.RerankRequest:
    with _held():
        return pb.RerankRequest(
            id=request.id,
            model=request.model,
            query=request.query,
            documents=request.documents,
            top_n=request.top_n,
        )


def rerank_from_proto(message: pb.RerankRequest, deadline_s: float | None) -> RerankRequest:
    return RerankRequest(
        id=message.id,
        model=message.model,
        query=message.query,
        documents=tuple(message.documents),
        top_n=message.top_n if message.HasField("top_n") else None,
        deadline_s=deadline_s,
    )


def _message_to_proto(turn: Message) -> pb.Message:
    content = turn.content
    return pb.Message(
        role=_ROLES[turn.role],
        text=content if isinstance(content, str) else None,
        parts=None if isinstance(content, str) else [_part_to_proto(part) for part in content],
        name=turn.name,
        reasoning=turn.reasoning,
        tool_calls=[pb.ToolCall(id=call.id, name=call.name, arguments=call.arguments) for call in turn.tool_calls],
        tool_call_id=turn.tool_call_id,
        prefix=turn.prefix,
    )


def _message_from_proto(turn: pb.Message) -> Message:
    role = _ROLE_NAMES.get(turn.role)
    if role is None:
        raise InvalidRequest("Every message needs a role: system, user, assistant or tool.", param="messages")
    return Message(
        role=role,
        content=turn.text if turn.HasField("text") else tuple(_part_from_proto(part) for part in turn.parts),
        name=turn.name if turn.HasField("name") else None,
        reasoning=turn.reasoning if turn.HasField("reasoning") else None,
        tool_calls=tuple(ToolCall(call.id, call.name, call.arguments) for call in turn.tool_calls),
        tool_call_id=turn.tool_call_id if turn.HasField("tool_call_id") else None,
        prefix=turn.prefix,
    )


def _part_to_proto(part: ContentPart) -> pb.ContentPart:
    match part:
        case TextPart():
            return pb.ContentPart(text=part.text)
        case ImagePart():
            return pb.ContentPart(image=pb.ImagePart(url=part.url, detail=part.detail))
        case FilePart():
            return pb.ContentPart(file=pb.FilePart(file_id=part.file_id, data=part.data, filename=part.filename))


def _part_from_proto(part: pb.ContentPart) -> ContentPart:
    match part.WhichOneof("part"):
        case "text":
            return TextPart(part.text)
        case "image":
            return ImagePart(part.image.url, part.image.detail)
        case "file":
            file = part.file
            return FilePart(
                file_id=file.file_id if file.HasField("file_id") else None,
                data=file.data if file.HasField("data") else None,
                filename=file.filename if file.HasField("filename") else None,
            )
        case _:
            raise InvalidRequest("A content part is a text, an image or a file.", param="messages")


def _prompt_from_proto(message: pb.GenerateRequest) -> str | tuple[int, ...] | None:
    match message.WhichOneof("prompt"):
        case "prompt_text":
            return message.prompt_text
        case "prompt_tokens":
            return tuple(message.prompt_tokens.ids)
        case _:
            return None


def _sampling_from_proto(sampling: pb.Sampling) -> Sampling:
    given = {name: getattr(sampling, name) for name in _SAMPLING if sampling.HasField(cast("Any", name))}
    return Sampling(stop=tuple(sampling.stop), **given)


def _tool_to_proto(tool: Tool) -> pb.Tool:
    return pb.Tool(
        name=tool.name,
        description=tool.description,
        parameters_json=_to_json(tool.parameters) if tool.parameters else "",
        strict=tool.strict,
    )


def _tool_from_proto(tool: pb.Tool) -> Tool:
    return Tool(tool.name, tool.description, _object_from_json(tool.parameters_json), tool.strict)


def _choice_from_proto(choice: pb.ToolChoice) -> ToolChoice:
    function = choice.function if choice.HasField("function") else None
    match choice.mode:
        case pb.ToolChoice.MODE_NONE:
            return ToolChoice("none", function)
        case pb.ToolChoice.MODE_REQUIRED:
            return ToolChoice("required", function)
        case pb.ToolChoice.MODE_NAMED:
            return ToolChoice("named", function)
        case _:
            return ToolChoice("auto", function)


def _format_to_proto(wanted: ResponseFormat) -> pb.ResponseFormat:
    return pb.ResponseFormat(
        type=f"TYPE_{wanted.type.upper()}",
        schema_json=None if wanted.schema is None else _to_json(wanted.schema),
        name=wanted.name,
        strict=wanted.strict,
    )


def _format_from_proto(wanted: pb.ResponseFormat) -> ResponseFormat:
    name = wanted.name if wanted.HasField("name") else None
    schema = _object_from_json(wanted.schema_json) if wanted.HasField("schema_json") else None
    match wanted.type:
        case pb.ResponseFormat.TYPE_JSON_OBJECT:
            return ResponseFormat("json_object", schema, name, wanted.strict)
        case pb.ResponseFormat.TYPE_JSON_SCHEMA:
            return ResponseFormat("json_schema", schema, name, wanted.strict)
        case _:
            return ResponseFormat("text", schema, name, wanted.strict)


def _thinking_from_proto(thinking: pb.Thinking) -> Thinking:
    return Thinking(
        enabled=thinking.enabled if thinking.HasField("enabled") else None,
        effort=msgspec.convert(thinking.effort, ReasoningEffort) if thinking.HasField("effort") else None,
    )


def _to_json(value: dict[str, Any]) -> str:
    return msgspec.json.encode(value).decode()


def _object_from_json(text: str) -> dict[str, Any]:
    return msgspec.json.decode(text, type=dict[str, Any]) if text else {}
