"""What an application is: how it asks a model, and what stands around that.

The features and their names are those of Dify's ``model_config``; :mod:`seekway.applications.dify_yaml` translates to and from its files.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from seekway.knowledge.index.conditions import Conditions
from seekway.knowledge.retrieval.retriever import Method

Mode = Literal["chat", "completion", "agent-chat"]
Control = Literal["text-input", "paragraph", "select", "number", "checkbox", "file", "file-list"]
FileKind = Literal["image", "document", "audio", "video", "custom"]
TransferMethod = Literal["remote_url", "local_file"]
Thoughts = Literal["separate", "tags", "drop"]
"""Where a model's reasoning goes: kept apart, into the answer between ``<think>`` tags, or nowhere."""

Strategy = Literal["function_call", "react"]
ToolKind = Literal["builtin", "openapi", "mcp", "knowledge"]


class ModelChoice(msgspec.Struct, frozen=True):
    """``name`` empty: the gateway's default model. ``parameters`` are those of a chat request (``temperature``, ``max_tokens`` …); ``provider`` is only kept for export."""

    name: str = ""
    parameters: dict[str, Any] = {}
    provider: str = ""


class FormField(msgspec.Struct, frozen=True):
    """One of the variables that a caller fills in, shown to him by ``control``."""

    variable: str
    control: Control = "text-input"
    label: str = ""
    required: bool = False
    default: Any = None
    max_length: int | None = None
    options: tuple[str, ...] = ()
    rest: dict[str, Any] = {}


class PromptMessage(msgspec.Struct, frozen=True):
    role: Literal["system", "user", "assistant"]
    text: str


class Prompt(msgspec.Struct, frozen=True):
    """``instructions`` is the system prompt; ``messages`` stand in its place where a file has them one by one.

    Variables stand as ``{{name}}``; ``{{#context#}}`` is what was retrieved, ``{{#query#}}`` the question, ``{{#histories#}}`` the conversation.
    """

    instructions: str = ""
    messages: tuple[PromptMessage, ...] = ()


class KnowledgeUse(msgspec.Struct, frozen=True):
    """Where passages come from before the model is asked. ``method`` None: hybrid where there are vectors, full text elsewhere.

    ``query_variable`` is what a completion application searches with.
    """

    datasets: tuple[str, ...] = ()
    method: Method | None = None
    top_k: int = 4
    score_threshold: float | None = None
    rerank: bool = False
    vector_weight: float | None = None
    conditions: Conditions = Conditions()
    query_variable: str = ""


class ToolUse(msgspec.Struct, frozen=True):
    """A tool of ``provider``, whose name in the settings it is for ``openapi`` and ``mcp``; ``parameters`` are fixed by the application. No ``name``: all of the provider's."""

    kind: ToolKind
    provider: str = ""
    name: str = ""
    label: str = ""
    parameters: dict[str, Any] = {}
    enabled: bool = True


class AgentUse(msgspec.Struct, frozen=True):
    """Bounds hold for one answer; whichever is met first ends the calls of tools, and the model is asked for an answer without any."""

    strategy: Strategy = "function_call"
    tools: tuple[ToolUse, ...] = ()
    max_steps: int = 10
    max_seconds: float = 120.0
    max_tokens: int = 64_000


class Moderation(msgspec.Struct, frozen=True):
    """Beside the gateway's guardrails: words of this application alone. A preset answer None: that side is not looked at."""

    keywords: tuple[str, ...] = ()
    input_answer: str | None = None
    output_answer: str | None = None


class AnnotationUse(msgspec.Struct, frozen=True):
    """Answers written by hand are given where a question is near enough to theirs; ``score_threshold`` is a cosine."""

    enabled: bool = False
    score_threshold: float = 0.9
    embedding_model: str = ""


class FileUse(msgspec.Struct, frozen=True):
    """Files that may come with a question."""

    enabled: bool = False
    kinds: tuple[FileKind, ...] = ("image",)
    number: int = 3
    methods: tuple[TransferMethod, ...] = ("remote_url", "local_file")
    extensions: tuple[str, ...] = ()
    image_detail: str = "high"


class Memory(msgspec.Struct, frozen=True):
    """How much of a conversation the model reads again. What no longer fits is summed up where ``summarise`` is set, and left out where not."""

    max_tokens: int = 4000
    max_messages: int = 500
    summarise: bool = True


class Definition(msgspec.Struct, frozen=True):
    """``rest`` are members of a Dify file that nothing here reads, for export."""

    mode: Mode
    model: ModelChoice = ModelChoice()
    prompt: Prompt = Prompt()
    form: tuple[FormField, ...] = ()
    knowledge: KnowledgeUse = KnowledgeUse()
    agent: AgentUse = AgentUse()
    memory: Memory = Memory()
    opening_statement: str = ""
    suggested_questions: tuple[str, ...] = ()
    follow_ups: bool = False
    citations: bool = True
    moderation: Moderation | None = None
    annotations: AnnotationUse = AnnotationUse()
    files: FileUse = FileUse()
    thoughts: Thoughts = "separate"
    rest: dict[str, Any] = {}
