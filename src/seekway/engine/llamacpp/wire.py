"""The JSON that llama.cpp's server takes and gives, as far as it is used; see its ``tools/server/README.md``.

``verbose`` makes each streamed answer carry its token ids, which the OpenAI form of the same route leaves out.
"""

from __future__ import annotations

import base64
from typing import Final, Literal

import msgspec

from seekway.core.errors import ContextLengthExceeded, InternalError, InvalidRequest, SeekwayError
from seekway.engine.base import TokenRequest
from seekway.engine.llamacpp.constraint import grammar_of

_RANDOM_SEED: Final = 2**32 - 1
"""llama.cpp's word for "draw one"."""
_SAMPLERS: Final = ("penalties", "temperature", "top_k", "top_p", "min_p")
"""Temperature before the cuts, as DeepSeek's, OpenAI's and vLLM's users know it; llama.cpp's own order has it last."""
_FINAL_FIELDS: Final = ("tokens", "tokens_predicted", "stop", "stop_type", "timings")


class _Completion(msgspec.Struct, omit_defaults=True):
    prompt: tuple[int, ...]
    n_predict: int
    temperature: float
    top_p: float
    top_k: int
    min_p: float
    seed: int
    stream: Literal[True]
    verbose: Literal[True]
    return_progress: Literal[True]
    cache_prompt: bool
    sse_ping_interval: int
    samplers: tuple[str, ...]
    response_fields: tuple[str, ...]
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    repeat_last_n: int = 0
    n_probs: int = 0
    grammar: str | None = None


class Likely(msgspec.Struct):
    """``logprob`` is natural log before temperature and cuts; None stands for minus infinity."""

    id: int
    logprob: float | None


class TokenProbability(msgspec.Struct):
    id: int
    logprob: float | None
    top_logprobs: list[Likely]


class Progress(msgspec.Struct):
    """``cache`` of the prompt's tokens were reused."""

    cache: int


class Timings(msgspec.Struct):
    cache_n: int = 0


class Step(msgspec.Struct):
    """A streamed answer: progress of the prompt, one token (``tokens_predicted`` counts those not shown too), or the end."""

    tokens: list[int] = []
    tokens_predicted: int = 0
    content: str = ""
    stop: bool = False
    stop_type: str = ""
    timings: Timings | None = None
    prompt_progress: Progress | None = None
    completion_probabilities: list[TokenProbability] = []


class Failure(msgspec.Struct):
    message: str
    type: str = ""
    code: int = 500


class Answer(msgspec.Struct):
    step: Step | None = msgspec.field(default=None, name="__verbose")
    error: Failure | None = None


class _Embeddings(msgspec.Struct):
    input: list[list[int]]
    encoding_format: Literal["base64"] = "base64"


class _Embedding(msgspec.Struct):
    embedding: str
    index: int


class _EmbeddingAnswer(msgspec.Struct):
    data: list[_Embedding] = []
    error: Failure | None = None


_ENCODER = msgspec.json.Encoder()
_ANSWER = msgspec.json.Decoder(Answer)
_EMBEDDINGS = msgspec.json.Decoder(_EmbeddingAnswer)


def completion_body(request: TokenRequest, context_length: int, *, prefix_cache: bool) -> bytes:
    """The request's JSON; raises ``InvalidParameter`` for a constraint that does not compile."""
    penalized = request.frequency_penalty != 0 or request.presence_penalty != 0
    return _ENCODER.encode(
        _Completion(
            prompt=request.prompt,
            n_predict=min(request.max_tokens, context_length - len(request.prompt)),
            temperature=request.temperature,
            top_p=request.top_p,
            top_k=request.top_k,
            min_p=request.min_p,
            seed=_RANDOM_SEED if request.seed is None else request.seed % _RANDOM_SEED,
            stream=True,
            verbose=True,
            return_progress=True,
            cache_prompt=prefix_cache,
            sse_ping_interval=-1,
            samplers=_SAMPLERS,
            response_fields=_FINAL_FIELDS,
            frequency_penalty=request.frequency_penalty,
            presence_penalty=request.presence_penalty,
            repeat_last_n=context_length if penalized else 0,
            n_probs=0 if request.logprobs is None else max(request.logprobs, 1),
            grammar=None if request.constraint is None else grammar_of(request.constraint),
        )
    )


def read_answer(raw: bytes) -> Answer:
    return _ANSWER.decode(raw)


def embedding_body(prompts: list[list[int]]) -> bytes:
    return _ENCODER.encode(_Embeddings(input=prompts))


def read_embeddings(raw: bytes) -> list[bytes]:
    """Vectors in the order of the prompts, little-endian float32; raises what the server answered instead."""
    answer = _EMBEDDINGS.decode(raw)
    if answer.error is not None:
        raise error_of(answer.error)
    return [base64.b64decode(item.embedding) for item in sorted(answer.data, key=lambda item: item.index)]


def error_of(failure: Failure) -> SeekwayError:
    """The server's refusal as ours."""
    if failure.type == "exceed_context_size_error":
        return ContextLengthExceeded(f"The prompt is too long: {failure.message}.")
    if failure.code == 400:
        return InvalidRequest(f"The engine refused the request: {failure.message}.")
    return InternalError(f"The engine failed: {failure.message}.")
