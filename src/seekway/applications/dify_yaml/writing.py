"""From an application to a Dify file."""

from __future__ import annotations

from typing import Any, Final

import msgspec
import yaml

from seekway.applications.definition import Definition, FormField, Memory, ToolUse
from seekway.applications.records import AppRecord

VERSION: Final = "0.6.0"
_PROVIDER_TYPES: Final = {"openapi": "api", "mcp": "mcp", "builtin": "builtin", "knowledge": "knowledge"}


def write_app(app: AppRecord) -> str:
    """A file that Dify and :func:`read_app` read, without keys or secrets; what Dify has no place for stands under ``seekway``."""
    data: dict[str, Any] = {
        "version": VERSION,
        "kind": "app",
        "app": {
            "name": app.name,
            "mode": app.definition.mode,
            "icon": app.icon,
            "icon_type": app.icon_type,
            "icon_background": app.icon_background,
            "description": app.description,
            "use_icon_as_answer_icon": False,
        },
        "dependencies": [],
        "model_config": _config(app.definition),
    }
    return yaml.safe_dump(data, allow_unicode=True, sort_keys=False, width=120)


def _config(definition: Definition) -> dict[str, Any]:
    rest = {key: value for key, value in definition.rest.items() if key != "unmapped_datasets"}
    return {
        **_plain(rest),
        "model": {
            "provider": definition.model.provider or "langgenius/deepseek/deepseek",
            "name": definition.model.name,
            "mode": "chat",
            "completion_params": _plain(definition.model.parameters),
        },
        **_prompt(definition),
        "user_input_form": [_field(field) for field in definition.form],
        "dataset_query_variable": definition.knowledge.query_variable,
        "opening_statement": definition.opening_statement,
        "suggested_questions": list(definition.suggested_questions),
        "suggested_questions_after_answer": {"enabled": definition.follow_ups},
        "retriever_resource": {"enabled": definition.citations},
        "annotation_reply": {
            "enabled": definition.annotations.enabled,
            "score_threshold": definition.annotations.score_threshold,
        },
        "sensitive_word_avoidance": _moderation(definition),
        "file_upload": _files(definition),
        "agent_mode": {
            "enabled": definition.mode == "agent-chat",
            "strategy": definition.agent.strategy,
            "max_iteration": definition.agent.max_steps,
            "tools": [_tool(tool) for tool in definition.agent.tools],
        },
        "dataset_configs": _knowledge(definition),
        "seekway": _own(definition),
    }


def _prompt(definition: Definition) -> dict[str, Any]:
    prompt = definition.prompt
    messages = [{"role": message.role, "text": message.text} for message in prompt.messages]
    return {
        "pre_prompt": prompt.instructions,
        "prompt_type": "advanced" if messages else "simple",
        "chat_prompt_config": {"prompt": messages} if messages else {},
        "completion_prompt_config": {},
    }


def _field(field: FormField) -> dict[str, Any]:
    members: dict[str, Any] = {"label": field.label, "variable": field.variable, "required": field.required}
    if field.default is not None:
        members["default"] = _plain(field.default)
    if field.max_length is not None:
        members["max_length"] = field.max_length
    if field.options:
        members["options"] = list(field.options)
    return {field.control: members | _plain(field.rest)}


def _moderation(definition: Definition) -> dict[str, Any]:
    moderation = definition.moderation
    if moderation is None:
        return {"enabled": False, "type": "", "configs": []}
    sides = {"inputs_config": moderation.input_answer, "outputs_config": moderation.output_answer}
    return {
        "enabled": True,
        "type": "keywords",
        "configs": {
            "keywords": "\n".join(moderation.keywords),
            **{name: {"enabled": text is not None, "preset_response": text or ""} for name, text in sides.items()},
        },
    }


def _files(definition: Definition) -> dict[str, Any]:
    files = definition.files
    return {
        "enabled": files.enabled,
        "allowed_file_types": list(files.kinds),
        "allowed_file_extensions": list(files.extensions),
        "allowed_file_upload_methods": list(files.methods),
        "number_limits": files.number,
        "image": {
            "enabled": files.enabled and "image" in files.kinds,
            "number_limits": files.number,
            "detail": files.image_detail,
            "transfer_methods": list(files.methods),
        },
    }


def _tool(tool: ToolUse) -> dict[str, Any]:
    return {
        "provider_type": _PROVIDER_TYPES[tool.kind],
        "provider_id": tool.provider,
        "provider_name": tool.provider,
        "tool_name": tool.name,
        "tool_label": tool.label,
        "tool_parameters": _plain(tool.parameters),
        "enabled": tool.enabled,
    }


def _knowledge(definition: Definition) -> dict[str, Any]:
    use = definition.knowledge
    names = (*use.datasets, *definition.rest.get("unmapped_datasets", ()))
    found: dict[str, Any] = {
        "retrieval_model": "multiple",
        "datasets": {"datasets": [{"dataset": {"enabled": True, "id": name}} for name in names]},
        "top_k": use.top_k,
        "score_threshold_enabled": use.score_threshold is not None,
        "score_threshold": use.score_threshold or 0.0,
        "reranking_enable": use.rerank or use.vector_weight is not None,
        "reranking_mode": "weighted_score" if use.vector_weight is not None else "reranking_model",
    }
    if use.vector_weight is not None:
        found["weights"] = {
            "vector_setting": {"vector_weight": use.vector_weight},
            "keyword_setting": {"keyword_weight": round(1 - use.vector_weight, 6)},
        }
    if use.conditions.conditions:
        found["metadata_filtering_mode"] = "manual"
        found["metadata_filtering_conditions"] = {
            "logical_operator": use.conditions.logic,
            "conditions": [
                {"name": one.name, "comparison_operator": one.operator, "value": _plain(one.value)}
                for one in use.conditions.conditions
            ],
        }
    return found


def _own(definition: Definition) -> dict[str, Any]:
    """What differs from what is meant where nothing is said."""
    agent, memory = definition.agent, definition.memory
    found: dict[str, Any] = {"thoughts": definition.thoughts}
    if definition.knowledge.method is not None:
        found["method"] = definition.knowledge.method
    if memory != Memory():
        found["memory"] = _plain(memory)
    if definition.mode == "agent-chat":
        found["agent"] = {"max_seconds": agent.max_seconds, "max_tokens": agent.max_tokens}
    return found


def _plain(value: object) -> Any:
    """Without structs and tuples, which YAML has no tags for."""
    return msgspec.to_builtins(value, builtin_types=())
