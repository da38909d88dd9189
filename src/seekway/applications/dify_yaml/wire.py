"""The shapes of a Dify file, as far as they are read; versions 0.1 to 0.6 write them alike.

Source: section 4.5 of the format's description, and exported files. A null stands for what is left out.
"""

from __future__ import annotations

from typing import Any

import msgspec


class WireApp(msgspec.Struct):
    name: str
    mode: str
    icon: str = ""
    icon_type: str = "emoji"
    icon_background: str = ""
    description: str = ""


class WireModel(msgspec.Struct):
    name: str = ""
    provider: str = ""
    completion_params: dict[str, Any] = {}


class WirePromptMessage(msgspec.Struct):
    text: str
    role: str = "user"


class WireChatPrompt(msgspec.Struct):
    prompt: list[WirePromptMessage] = []


class WireCompletionText(msgspec.Struct):
    text: str = ""


class WireCompletionPrompt(msgspec.Struct):
    prompt: WireCompletionText = msgspec.field(default_factory=WireCompletionText)


class WireSwitch(msgspec.Struct):
    enabled: bool = False


class WireAnnotationReply(msgspec.Struct):
    enabled: bool = False
    score_threshold: float = 0.9
    embedding_model: dict[str, Any] = {}


class WireModerationSide(msgspec.Struct):
    enabled: bool = False
    preset_response: str = ""


class WireModerationConfig(msgspec.Struct):
    keywords: str = ""
    inputs_config: WireModerationSide = msgspec.field(default_factory=WireModerationSide)
    outputs_config: WireModerationSide = msgspec.field(default_factory=WireModerationSide)


class WireModeration(msgspec.Struct):
    """Files write an empty list for no ``configs``, and a ``config`` in its place elsewhere."""

    enabled: bool = False
    type: str = ""
    configs: list[Any] | dict[str, Any] = {}
    config: dict[str, Any] = {}


class WireImages(msgspec.Struct):
    enabled: bool = False
    number_limits: int = 3
    detail: str = "high"
    transfer_methods: list[str] = []


class WireFiles(msgspec.Struct):
    """The older form has ``image`` alone."""

    enabled: bool = False
    image: WireImages | None = None
    allowed_file_types: list[str] = []
    allowed_file_extensions: list[str] = []
    allowed_file_upload_methods: list[str] = []
    number_limits: int | None = None


class WireTool(msgspec.Struct):
    provider_type: str = ""
    provider_id: str = ""
    provider_name: str = ""
    tool_name: str = ""
    tool_label: str = ""
    tool_parameters: dict[str, Any] = {}
    enabled: bool = True


class WireAgent(msgspec.Struct):
    enabled: bool = False
    strategy: str = "function_call"
    max_iteration: int = 10
    tools: list[dict[str, Any]] = []


class WireDataset(msgspec.Struct):
    id: str = ""
    enabled: bool = True


class WireDatasetEntry(msgspec.Struct):
    dataset: WireDataset


class WireDatasets(msgspec.Struct):
    datasets: list[WireDatasetEntry] = []


class WireVectorSetting(msgspec.Struct):
    vector_weight: float = 0.7


class WireWeights(msgspec.Struct):
    vector_setting: WireVectorSetting = msgspec.field(default_factory=WireVectorSetting)


class WireCondition(msgspec.Struct):
    name: str
    comparison_operator: str
    value: str | int | float | list[str | int | float] | None = None


class WireConditions(msgspec.Struct):
    logical_operator: str = "and"
    conditions: list[WireCondition] = []


class WireRetrieval(msgspec.Struct):
    retrieval_model: str = "multiple"
    datasets: WireDatasets = msgspec.field(default_factory=WireDatasets)
    top_k: int = 4
    score_threshold: float = 0.0
    score_threshold_enabled: bool = False
    reranking_enable: bool = False
    reranking_mode: str = ""
    weights: WireWeights | None = None
    metadata_filtering_mode: str = "disabled"
    metadata_filtering_conditions: WireConditions | None = None


class WireOwn(msgspec.Struct):
    """What Dify's format has no place for; other programs leave it alone."""

    thoughts: str = "separate"
    method: str = ""
    memory: dict[str, Any] = {}
    agent: dict[str, Any] = {}


class WireModelConfig(msgspec.Struct):
    model: WireModel = msgspec.field(default_factory=WireModel)
    pre_prompt: str = ""
    prompt_type: str = "simple"
    chat_prompt_config: WireChatPrompt = msgspec.field(default_factory=WireChatPrompt)
    completion_prompt_config: WireCompletionPrompt = msgspec.field(default_factory=WireCompletionPrompt)
    user_input_form: list[dict[str, dict[str, Any]]] = []
    dataset_query_variable: str = ""
    opening_statement: str = ""
    suggested_questions: list[str] = []
    suggested_questions_after_answer: WireSwitch = msgspec.field(default_factory=WireSwitch)
    retriever_resource: WireSwitch | None = None
    annotation_reply: WireAnnotationReply = msgspec.field(default_factory=WireAnnotationReply)
    sensitive_word_avoidance: WireModeration = msgspec.field(default_factory=WireModeration)
    file_upload: WireFiles = msgspec.field(default_factory=WireFiles)
    agent_mode: WireAgent = msgspec.field(default_factory=WireAgent)
    dataset_configs: WireRetrieval = msgspec.field(default_factory=WireRetrieval)
    seekway: WireOwn = msgspec.field(default_factory=WireOwn)
