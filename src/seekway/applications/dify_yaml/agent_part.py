"""An agent's strategy, bounds and tools."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from seekway.applications.definition import AgentUse, Mode, ToolUse
from seekway.applications.dify_yaml.notes import Notes
from seekway.applications.dify_yaml.report import Here
from seekway.applications.dify_yaml.shaping import shaped
from seekway.applications.dify_yaml.source import Path
from seekway.applications.dify_yaml.wire import WireModelConfig, WireTool

_STRATEGIES: Final = ("function_call", "react")
_CLOCK: Final = "current_time"
_MOST_STEPS: Final = 100


class _Bounds(msgspec.Struct):
    max_seconds: Annotated[float, Meta(gt=0, le=3600)] = AgentUse().max_seconds
    max_tokens: Annotated[int, Meta(ge=1)] = AgentUse().max_tokens


def agent_of(mode: Mode, config: WireModelConfig, notes: Notes, here: Here) -> AgentUse:
    part, path = config.agent_mode, ("model_config", "agent_mode")
    if mode != "agent-chat":
        return AgentUse()
    strategy = part.strategy
    if strategy not in _STRATEGIES:
        notes.add((*path, "strategy"), f"There is no strategy {strategy!r} here; the model calls functions instead.")
        strategy = "function_call"
    tools: list[ToolUse] = []
    for at, raw in enumerate(part.tools):
        here_at: Path = (*path, "tools", at)
        if "dataset" in raw:
            continue
        tool = shaped(notes.source, here_at, raw, WireTool)
        tools.append(_tool(tool, here_at, notes, here))
    bounds = shaped(notes.source, ("model_config", "seekway", "agent"), config.seekway.agent, _Bounds)
    return AgentUse(
        "react" if strategy == "react" else "function_call",
        tuple(tools),
        min(_MOST_STEPS, max(1, part.max_iteration)),
        bounds.max_seconds,
        bounds.max_tokens,
    )


def _tool(tool: WireTool, path: Path, notes: Notes, here: Here) -> ToolUse:
    """One that is not here is kept, switched off."""
    kind, provider = tool.provider_type, tool.provider_name or tool.provider_id
    parameters = {key: value for key, value in tool.tool_parameters.items() if value not in (None, "")}
    label = tool.tool_label or tool.tool_name
    if kind == "builtin" and tool.tool_name == _CLOCK:
        return ToolUse("builtin", provider, tool.tool_name, label, parameters, tool.enabled)
    if kind == "knowledge":
        return ToolUse("knowledge", provider, tool.tool_name, label, parameters, tool.enabled)
    ours = "mcp" if kind == "mcp" else "openapi" if kind == "api" else "builtin"
    known = ours != "builtin" and provider in here.tools
    if tool.enabled and not known:
        notes.add(
            path,
            f"The tool {tool.tool_name!r} of {provider!r} is not here and is switched off; "
            f"describe it in the settings as a provider of tools named {provider!r} and import the file again.",
        )
    return ToolUse(ours, provider, tool.tool_name, label, parameters, tool.enabled and known)
