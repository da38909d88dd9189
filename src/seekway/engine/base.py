"""The seam under which inference engines stand: token ids in, token ids out.

Chat templates, text, reasoning and tool calls are the business of :mod:`seekway.engine.local_model`, alike for every engine.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal, Protocol

import msgspec

from seekway.core.types import EngineStats, JsonSchema

KvCacheType = Literal["int8", "f16"]


class EngineOptions(msgspec.Struct, frozen=True):
    """How an engine is loaded.

    ``context_length`` is the most tokens of one sequence, prompt and output together; 0 takes the model's own, bounded by memory.
    ``kv_cache_bytes`` bounds the KV cache; ``max_running`` sequences are batched at once, ``max_queued`` wait before admission refuses.
    ``threads`` 0 takes the machine's cores.
    ``cache_directory`` may keep what an engine derives from the file, to start faster the next time; None keeps nothing.
    """

    model_path: Path
    context_length: int = 0
    threads: int = 0
    max_running: int = 32
    max_queued: int = 256
    kv_cache: KvCacheType = "int8"
    kv_cache_bytes: int = 512 * 1024 * 1024
    prefix_cache: bool = True
    flash_attention: bool = True
    cache_directory: Path | None = None


class Constraint(msgspec.Struct, frozen=True):
    """What the output must match: ``json_schema`` with its schema (an empty schema is any JSON object), or ``regex``."""

    kind: Literal["json_schema", "regex"]
    schema: JsonSchema | None = None
    regex: str | None = None


class TokenRequest(msgspec.Struct, frozen=True):
    """A sequence to continue.

    ``temperature`` 0 is greedy. ``stop_token_ids`` end the sequence and are not emitted.
    ``logprobs``: None for none, 0 for the sampled token's, n for the n likeliest beside it.
    """

    id: str
    prompt: tuple[int, ...]
    max_tokens: int
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    seed: int | None = None
    stop_token_ids: frozenset[int] = frozenset()
    logprobs: int | None = None
    constraint: Constraint | None = None


class SampledToken(msgspec.Struct, frozen=True):
    """``logprob`` is natural log, None when not asked for; ``top`` are (token id, logprob) of the likeliest, best first."""

    id: int
    logprob: float | None = None
    top: tuple[tuple[int, float], ...] = ()


class TokenChunk(msgspec.Struct, frozen=True):
    """One or more tokens as they come; the last chunk carries ``finish`` and may hold no token.

    ``cached_tokens`` of the prompt came from the prefix cache; it is right at least in the last chunk.
    """

    tokens: tuple[SampledToken, ...] = ()
    finish: Literal["stop", "length"] | None = None
    cached_tokens: int = 0


class Engine(Protocol):
    """One loaded model.

    All methods are called from one asyncio loop and do not block it; inference runs on the engine's own threads.
    """

    name: str
    """``openvino`` or ``llamacpp``."""
    context_length: int
    """Most tokens of one sequence, prompt and output together."""
    weight_bytes: int
    """Memory of the weights as loaded."""
    max_top_logprobs: int
    """How many alternatives a token can be given; 0 where only the sampled token's log-probability is known."""

    def generate(self, request: TokenRequest) -> AsyncIterator[TokenChunk]:
        """Continue ``request.prompt``.

        Raises ``Overloaded`` at once when ``max_running`` run and ``max_queued`` wait, ``InvalidParameter`` for a constraint that does not compile.
        Closing the iterator frees the slot within a decoding step, and at once while queued.
        """
        ...

    async def embed(self, prompts: list[list[int]]) -> list[bytes]:
        """Mean- or last-pooled unit vectors, little-endian float32; raises ``UnsupportedParameter`` where the engine cannot."""
        ...

    def stats(self) -> EngineStats: ...

    async def close(self) -> None: ...
