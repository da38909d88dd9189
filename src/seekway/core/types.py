"""The canonical request and event stream that run through the middle of Seekway.

Wire dialects translate to these at the gateway's rim, backends translate from them at the other; nothing between knows a wire format.
All are immutable msgspec structs, so that they cross the worker's pipe as MessagePack unchanged.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

Role = Literal["system", "user", "assistant", "tool"]
FinishReason = Literal["stop", "length", "tool_calls", "content_filter", "insufficient_system_resource", "aborted"]
ReasoningEffort = Literal["none", "low", "high", "max"]
JsonSchema = dict[str, Any]


class TextPart(msgspec.Struct, frozen=True, tag="text"):
    text: str


class ImagePart(msgspec.Struct, frozen=True, tag="image"):
    """An image by address or ``data:`` URL; ``detail`` as the dialect sent it."""

    url: str
    detail: str = "auto"


class FilePart(msgspec.Struct, frozen=True, tag="file"):
    """A file by upload id or as a ``data:`` URL."""

    file_id: str | None = None
    data: str | None = None
    filename: str | None = None


ContentPart = TextPart | ImagePart | FilePart


class ToolCall(msgspec.Struct, frozen=True):
    """A finished call; ``arguments`` is JSON text exactly as the model wrote it."""

    id: str
    name: str
    arguments: str


class Message(msgspec.Struct, frozen=True, omit_defaults=True):
    """One turn. ``prefix`` marks a last assistant message that the model is to continue."""

    role: Role
    content: str | tuple[ContentPart, ...] = ""
    name: str | None = None
    reasoning: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    prefix: bool = False


class Tool(msgspec.Struct, frozen=True):
    """A function; ``parameters`` is a JSON schema, ``strict`` asks for arguments that must match it."""

    name: str
    description: str = ""
    parameters: JsonSchema = {}
    strict: bool = False


class ToolChoice(msgspec.Struct, frozen=True):
    """``function`` is the name when ``mode`` is ``named``."""

    mode: Literal["none", "auto", "required", "named"] = "auto"
    function: str | None = None


class ResponseFormat(msgspec.Struct, frozen=True):
    """``schema`` is set when ``type`` is ``json_schema``."""

    type: Literal["text", "json_object", "json_schema"] = "text"
    schema: JsonSchema | None = None
    name: str | None = None
    strict: bool = False


class Thinking(msgspec.Struct, frozen=True):
    """``enabled`` is None when the client did not say: the model's own default holds."""

    enabled: bool | None = None
    effort: ReasoningEffort | None = None


class Sampling(msgspec.Struct, frozen=True):
    """Sampling parameters; None leaves the model's or server's default.

    ``top_logprobs`` is None for no log-probabilities, 0 for the chosen token's only, n for the n most likely beside it.
    """

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    top_logprobs: int | None = None


class GenerateRequest(msgspec.Struct, frozen=True):
    """A chat (``messages``), a raw completion (``prompt``) or a fill-in-the-middle (``prompt`` and ``suffix``).

    Exactly one of ``messages`` and ``prompt`` is set; ``prompt`` may be token ids.
    ``deadline_s`` is how long the caller still waits, in seconds from now.
    ``stream`` False says that the client reads the answer when it is whole: a backend may then give it in one delta.
    ``extra`` are parameters of the dialect that no stage reads and upstream backends receive untouched.
    """

    id: str
    model: str
    messages: tuple[Message, ...] = ()
    prompt: str | tuple[int, ...] | None = None
    suffix: str | None = None
    echo: bool = False
    sampling: Sampling = Sampling()
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice = ToolChoice()
    response_format: ResponseFormat = ResponseFormat()
    thinking: Thinking = Thinking()
    user_id: str | None = None
    deadline_s: float | None = None
    stream: bool = True
    extra: dict[str, Any] = {}


class TopLogprob(msgspec.Struct, frozen=True):
    """A candidate token; ``logprob`` is natural log, ``bytes`` its UTF-8 bytes."""

    token: str
    logprob: float
    bytes: tuple[int, ...] = ()


class TokenLogprob(msgspec.Struct, frozen=True):
    token: str
    logprob: float
    bytes: tuple[int, ...] = ()
    top: tuple[TopLogprob, ...] = ()


class TextDelta(msgspec.Struct, frozen=True, tag="text"):
    text: str
    logprobs: tuple[TokenLogprob, ...] = ()


class ReasoningDelta(msgspec.Struct, frozen=True, tag="reasoning"):
    text: str
    logprobs: tuple[TokenLogprob, ...] = ()


class ToolCallDelta(msgspec.Struct, frozen=True, tag="tool_call"):
    """A piece of call ``index``; ``id`` and ``name`` stand only in the call's first piece, ``arguments`` pieces concatenate."""

    index: int
    id: str | None = None
    name: str | None = None
    arguments: str = ""


class Replacement(msgspec.Struct, frozen=True, tag="replacement"):
    """The answer so far is withdrawn, and ``text`` stands in its place; ``Finish("content_filter")`` follows.

    What each dialect shows: a whole answer (OpenAI, Anthropic, Responses, gRPC's gathered ones) holds ``text`` alone, without reasoning and calls.
    Their streams cannot take back what was sent; there ``text`` comes as more of the answer. Dify's stream says ``message_replace``.
    """

    text: str


class Usage(msgspec.Struct, frozen=True, tag="usage"):
    """Token counts; ``cached_tokens`` of the prompt came from the prefix cache, ``reasoning_tokens`` are part of the completion."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0
    reasoning_tokens: int = 0


class Finish(msgspec.Struct, frozen=True, tag="finish"):
    """Why generation ended; ``stop`` is the stop string that ended it, if one did."""

    reason: FinishReason
    stop: str | None = None


class ErrorEvent(msgspec.Struct, frozen=True, tag="error"):
    """The stream's end in failure, as data; see :mod:`seekway.core.errors` for the codes."""

    code: str
    message: str
    param: str | None = None


Event = TextDelta | ReasoningDelta | ToolCallDelta | Replacement | Usage | Finish | ErrorEvent
"""A successful stream is deltas, one :class:`Usage`, one :class:`Finish`, in that order; a failed one raises a ``SeekwayError``.

At most one :class:`Replacement` may come, after the deltas; no backend makes one.

:class:`ErrorEvent` exists for transports, which cannot raise across a wire.
"""


class TokenCount(msgspec.Struct, frozen=True):
    """Tokens of a request's prompt, as the model will read it; ``exact`` False says that they are estimated."""

    tokens: int
    exact: bool = True


class EmbedRequest(msgspec.Struct, frozen=True):
    """Texts to embed. ``purpose`` matters to asymmetric models such as E5, which prefix queries and passages differently."""

    id: str
    model: str
    inputs: tuple[str, ...]
    purpose: Literal["query", "passage"] = "passage"
    dimensions: int | None = None
    deadline_s: float | None = None


class EmbedResult(msgspec.Struct, frozen=True):
    """``vectors[i]`` is ``dimensions`` little-endian float32, unit length, for ``inputs[i]``."""

    vectors: tuple[bytes, ...]
    dimensions: int
    prompt_tokens: int


class RerankRequest(msgspec.Struct, frozen=True):
    id: str
    model: str
    query: str
    documents: tuple[str, ...]
    top_n: int | None = None
    deadline_s: float | None = None


class RerankScore(msgspec.Struct, frozen=True):
    """``index`` is into the request's documents; a higher ``score`` is more relevant, the scale is the model's."""

    index: int
    score: float


class RerankResult(msgspec.Struct, frozen=True):
    """Best first, at most ``top_n``."""

    scores: tuple[RerankScore, ...]
    prompt_tokens: int


Capability = Literal[
    "chat", "completion", "fim", "embed", "rerank", "tools", "reasoning", "json", "logprobs", "top_logprobs"
]


class EngineStats(msgspec.Struct, frozen=True):
    """An engine's own figures at one moment; rates are over the last ten seconds.

    ``kv_cache_used`` is a fraction from 0 to 1, None where the engine does not say; totals count since the worker started.
    """

    running: int = 0
    queued: int = 0
    queue_limit: int = 0
    kv_cache_used: float | None = None
    generated_tokens_per_s: float = 0.0
    prompt_tokens_total: int = 0
    cached_tokens_total: int = 0
    generated_tokens_total: int = 0
    requests_total: int = 0
    rss_bytes: int = 0
    restarts: int = 0


class ModelInfo(msgspec.Struct, frozen=True):
    """A served model: what it is, where it comes from and how it does.

    ``state`` is ``ready``, ``loading`` or ``failed``; ``weight_bytes`` is the weights' memory, ``context_length`` in tokens.
    """

    id: str
    version: str
    owned_by: str
    source: str
    capabilities: tuple[Capability, ...]
    engine: str = ""
    architecture: str = ""
    quantization: str = ""
    context_length: int = 0
    weight_bytes: int = 0
    created: int = 0
    state: Literal["ready", "loading", "failed"] = "ready"
    detail: str = ""
    stats: EngineStats = EngineStats()
