"""The one place that touches OpenVINO: a typed face on its continuous-batching pipeline, which tests replace by a fake."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, cast

import msgspec
import numpy as np

from seekway.core.errors import InvalidParameter, ModelFileError
from seekway.engine.base import Constraint, KvCacheType, SampledToken, TokenRequest
from seekway.engine.openvino.direct_step import direct_step
from seekway.engine.openvino.telemetry import bar_telemetry
from seekway.engine.openvino.tokenizer_cache import open_tokenizer

if TYPE_CHECKING:
    import openvino
    import openvino_genai

_LARGEST_SEED = 2**64 - 1


class _Piece(Protocol):
    """``openvino_genai.GenerationOutput``: what one step added to a sequence."""

    generated_ids: list[int]
    generated_log_probs: list[float]
    finish_reason: object


class _Handle(Protocol):
    """``openvino_genai.GenerationHandle``, which the package's stubs leave out of its public names."""

    def can_read(self) -> bool: ...

    def read(self) -> dict[int, _Piece]: ...

    def cancel(self) -> None: ...

    def get_status(self) -> object: ...


class _Metrics(Protocol):
    """``openvino_genai.PipelineMetrics``; ``cache_usage`` is in percent."""

    cache_usage: float
    cache_size_in_bytes: int


class _Inner(Protocol):
    """What is used of ``openvino_genai.ContinuousBatchingPipeline``, whose stubs leave some parameters untyped."""

    def add_request(
        self, request_id: int, input_ids: openvino.Tensor, generation_config: openvino_genai.GenerationConfig
    ) -> _Handle: ...

    def generate(
        self, input_ids: list[openvino.Tensor], generation_config: list[openvino_genai.GenerationConfig]
    ) -> object: ...

    def step(self) -> None: ...

    def has_non_finished_requests(self) -> bool: ...

    def get_metrics(self) -> _Metrics: ...

    def get_tokenizer(self) -> openvino_genai.Tokenizer: ...


class SequenceOutput(msgspec.Struct):
    """What one sequence produced since it was last read; ``starved`` ended for want of KV cache.

    ``sampled`` are all token ids, ``tokens`` those without a stop token that ended the sequence.
    """

    tokens: list[SampledToken]
    sampled: list[int]
    finish: Literal["stop", "length", "starved"] | None = None


class Sequence(Protocol):
    """A request inside the pipeline; all methods belong to the thread that steps."""

    def read(self) -> SequenceOutput:
        """Never blocks."""
        ...

    def cancel(self) -> None:
        """Leave the batch with the next step."""
        ...


class Pipeline(Protocol):
    """A continuous-batching pipeline; all methods belong to one thread."""

    step_holds_lock: bool
    """Whether Python stands still during a step, so that the event loop must be given a turn between two."""

    def add(self, number: int, request: TokenRequest) -> Sequence:
        """Raises ``InvalidParameter`` for sampling parameters out of range."""
        ...

    def step(self) -> None:
        """Prefill a chunk or decode one token of every sequence; raises ``RuntimeError`` when the engine fails."""
        ...

    def has_work(self) -> bool: ...

    def kv_cache_used(self) -> float:
        """Fraction of the KV cache's blocks that sequences held in the last step; blocks kept for reuse count as free."""
        ...

    def kv_cache_bytes(self) -> int:
        """Memory set aside for the KV cache; 0 before the first step."""
        ...


class PipelineOptions(msgspec.Struct, frozen=True):
    """``threads`` 0 takes OpenVINO's choice, the machine's physical cores."""

    model_path: Path
    threads: int
    max_running: int
    kv_cache: KvCacheType
    kv_blocks: int
    prefix_cache: bool
    batched_tokens: int
    cache_directory: Path | None = None


def open_pipeline(options: PipelineOptions, tokenizer: openvino_genai.Tokenizer | None = None) -> OpenVinoPipeline:
    """Load a GGUF file; takes seconds and must not run on an event loop. Raises ``ModelFileError`` when OpenVINO refuses it."""
    return OpenVinoPipeline(cast("_Inner", open_bare(options, tokenizer)))


def open_bare(
    options: PipelineOptions, tokenizer: openvino_genai.Tokenizer | None = None
) -> openvino_genai.ContinuousBatchingPipeline:
    """OpenVINO's own pipeline as :func:`open_pipeline` wraps it; on its own it is what the benchmarks compare with."""
    bar_telemetry()
    import openvino_genai as genai

    if tokenizer is None and options.cache_directory is not None:
        tokenizer = open_tokenizer(options.model_path, options.cache_directory)

    scheduler = genai.SchedulerConfig()
    scheduler.max_num_batched_tokens = options.batched_tokens
    scheduler.max_num_seqs = options.max_running
    scheduler.num_kv_blocks = options.kv_blocks
    scheduler.cache_size = 0
    scheduler.dynamic_split_fuse = True
    scheduler.enable_prefix_caching = options.prefix_cache
    properties: dict[str, str | int] = {"KV_CACHE_PRECISION": "u8" if options.kv_cache == "int8" else "f16"}
    if options.threads:
        properties["INFERENCE_NUM_THREADS"] = options.threads
        properties["sampler_num_threads"] = options.threads
    try:
        if tokenizer is None:
            return genai.ContinuousBatchingPipeline(str(options.model_path), scheduler, "CPU", properties, {}, {})
        return genai.ContinuousBatchingPipeline(str(options.model_path), tokenizer, scheduler, "CPU", **properties)
    except RuntimeError as error:
        raise ModelFileError(
            f"OpenVINO cannot load {options.model_path.name} ({_last_line(error)}); use the llamacpp engine or another file."
        ) from error


class OpenVinoPipeline:
    """:class:`Pipeline` on OpenVINO GenAI."""

    def __init__(self, inner: _Inner) -> None:
        import openvino_genai as genai

        self._inner = inner
        direct = direct_step(inner, Path(genai.__path__[0]))
        self.step_holds_lock = direct is None
        self._step = direct or inner.step
        self.tokenizer = inner.get_tokenizer()

    def add(self, number: int, request: TokenRequest) -> Sequence:
        try:
            handle = self._inner.add_request(number, _tensor(request.prompt), _config(request))
        except RuntimeError as error:
            raise InvalidParameter(f"The sampling parameters cannot be used: {_last_line(error)}.") from error
        return _OpenVinoSequence(handle, request)

    def step(self) -> None:
        self._step()

    def has_work(self) -> bool:
        return self._inner.has_non_finished_requests()

    def kv_cache_used(self) -> float:
        return self._inner.get_metrics().cache_usage / 100

    def kv_cache_bytes(self) -> int:
        return self._inner.get_metrics().cache_size_in_bytes

    def try_constraint(self, constraint: Constraint) -> None:
        """Compile ``constraint`` and decode one token under it, alone; raises ``InvalidParameter`` when it cannot be compiled."""
        import openvino_genai as genai

        config = genai.GenerationConfig()
        config.max_new_tokens = 1
        config.structured_output_config = _structured(constraint)
        try:
            self._inner.generate([_tensor((0,))], [config])
        except RuntimeError as error:
            field = "regex" if constraint.kind == "regex" else "schema"
            raise InvalidParameter(
                f"The {field} cannot be used: {_last_line(error)}.", param="response_format"
            ) from error


class _OpenVinoSequence:
    def __init__(self, handle: _Handle, request: TokenRequest) -> None:
        import openvino_genai as genai

        self._handle = handle
        self._with_logprobs = request.logprobs is not None
        self._stop_ids = request.stop_token_ids
        self._stopped = genai.GenerationFinishReason.STOP
        self._full = genai.GenerationFinishReason.LENGTH
        self._starved = genai.GenerationStatus.IGNORED

    def read(self) -> SequenceOutput:
        output = SequenceOutput([], [])
        handle = self._handle
        while handle.can_read():
            for piece in handle.read().values():
                output.tokens += self._tokens(piece)
                output.sampled += piece.generated_ids
                if piece.finish_reason == self._stopped:
                    output.finish = "stop"
                elif piece.finish_reason == self._full:
                    output.finish = "length"
        if output.finish is None and handle.get_status() == self._starved:
            output.finish = "starved"
        if output.finish == "stop" and output.tokens and output.tokens[-1].id in self._stop_ids:
            output.tokens.pop()
        return output

    def cancel(self) -> None:
        self._handle.cancel()

    def _tokens(self, piece: _Piece) -> list[SampledToken]:
        if not self._with_logprobs:
            return [SampledToken(id_) for id_ in piece.generated_ids]
        both = zip(piece.generated_ids, piece.generated_log_probs, strict=True)
        return [SampledToken(id_, logprob) for id_, logprob in both]


def _config(request: TokenRequest) -> openvino_genai.GenerationConfig:
    import openvino_genai as genai

    config = genai.GenerationConfig()
    config.max_new_tokens = request.max_tokens
    config.do_sample = request.temperature > 0
    if config.do_sample:
        config.temperature = request.temperature
        config.top_p = request.top_p
        config.min_p = request.min_p
        if request.top_k > 0:
            config.top_k = request.top_k
    # The pipeline's own default is a fixed seed: every unseeded answer to one prompt would be the same.
    config.rng_seed = secrets.randbits(32) if request.seed is None else request.seed & _LARGEST_SEED
    config.frequency_penalty = request.frequency_penalty
    config.presence_penalty = request.presence_penalty
    config.logprobs = 0 if request.logprobs is None else 1
    if request.stop_token_ids:
        # Named as the end of the sequence too, else the pipeline adds the model's own.
        config.stop_token_ids = set(request.stop_token_ids)
        config.set_eos_token_id(min(request.stop_token_ids))
    elif request.constraint is None:
        config.ignore_eos = True
    if request.constraint is not None:
        config.structured_output_config = _structured(request.constraint)
    return config


def _structured(constraint: Constraint) -> openvino_genai.StructuredOutputConfig:
    import openvino_genai as genai

    if constraint.kind == "regex":
        return genai.StructuredOutputConfig(regex=constraint.regex or "")
    schema = constraint.schema or {"type": "object"}
    return genai.StructuredOutputConfig(json_schema=msgspec.json.encode(schema).decode())


def _tensor(ids: tuple[int, ...]) -> openvino.Tensor:
    import openvino

    return openvino.Tensor(np.array([ids], dtype=np.int64))


def _last_line(error: Exception) -> str:
    """The end of a C++ error message without the place in the source, which is the builder's."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    last = lines[-1] if lines else type(error).__name__
    if last.startswith("[") and ": " in last:
        last = last.split(": ", 1)[1]
    return last.rstrip(".")
