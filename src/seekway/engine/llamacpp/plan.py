"""How a model is laid out in memory: how many sequences, how long, in which KV cache."""

from __future__ import annotations

import msgspec

from seekway.core.errors import InsufficientMemory
from seekway.engine.base import EngineOptions, KvCacheType
from seekway.engine.gguf.header import GgufHeader

_Q8_0_BLOCK = 32
_Q8_0_BLOCK_BYTES = 34
_GRAIN = 256
"""llama.cpp pads each sequence's cells to this many tokens."""
_MOST_SLOTS = 8
"""More sequences than this decode slower in total on CPUs: measured 136 tokens/s at 8, 85 to 95 at 16 and 53 at 32."""
_ROOMY_SLOTS = 4
"""With the context left open, it is chosen so that this many sequences fit."""
_MIB = 1024 * 1024
_EMBEDDING_CONTEXT = 2048
_POOLED = {1: "mean", 2: "cls", 3: "last"}
_RANK = 4


class LoadPlan(msgspec.Struct, frozen=True):
    """``slots`` sequences of ``context_length`` tokens each; ``pooling`` is set for an embedding model.

    ``kv_cache`` may be ``f16`` where ``int8`` was asked for, because heads that are no multiple of 32 wide have no 8-bit blocks.
    """

    slots: int
    context_length: int
    kv_cache: KvCacheType
    kv_cache_bytes: int
    flash_attention: bool
    pooling: str | None = None


def plan_load(header: GgufHeader, options: EngineOptions) -> LoadPlan:
    """Fit sequences into ``options.kv_cache_bytes``; raises ``InsufficientMemory`` when not even one short one fits.

    A context length that was asked for is kept and the number of slots gives way; only when a single slot is too big is the context cut.
    Left open, it is the model's own, cut so that four sequences (or ``max_running``, if fewer) fit.
    """
    pooling = _pooling(header)
    if pooling is not None:
        length = min(header.context_length or _EMBEDDING_CONTEXT, options.context_length or _EMBEDDING_CONTEXT)
        return LoadPlan(1, length, "f16", length * _bytes_per_token(header, "f16"), options.flash_attention, pooling)
    flash = options.flash_attention
    kv_cache: KvCacheType = "int8" if options.kv_cache == "int8" and flash and _has_8_bit_blocks(header) else "f16"
    per_token = _bytes_per_token(header, kv_cache)
    most = min(options.max_running, _MOST_SLOTS)
    budget = options.kv_cache_bytes // max(per_token, 1)
    own = header.context_length or 4096
    context = (
        min(options.context_length, own) if options.context_length else min(own, budget // min(most, _ROOMY_SLOTS))
    )
    context = min(context, budget)
    context = context // _GRAIN * _GRAIN if context > _GRAIN else min(_GRAIN, budget)
    if context < min(_GRAIN, own):
        raise InsufficientMemory(
            f"A KV cache of {options.kv_cache_bytes // _MIB} MiB holds only {context} tokens of {header.path.name}; "
            f"allow at least {-(-_GRAIN * per_token // _MIB)} MiB."
        )
    slots = max(1, min(most, budget // context))
    return LoadPlan(slots, context, kv_cache, slots * context * per_token, flash)


def is_reranker(header: GgufHeader) -> bool:
    return header.integer(f"{header.architecture}.pooling_type", 0) == _RANK


def _pooling(header: GgufHeader) -> str | None:
    return _POOLED.get(header.integer(f"{header.architecture}.pooling_type", 0))


def _head_widths(header: GgufHeader) -> tuple[int, int, int]:
    """KV heads, and the width of a key and of a value.

    A latent-attention file (DeepSeek-V2 and V3) says one head, as wide as the latent and the rotated part; its values are part of the keys.
    """
    name = header.architecture
    heads = max(header.integer(f"{name}.attention.head_count", 1), 1)
    width = header.integer(f"{name}.embedding_length", 0) // heads
    key = header.integer(f"{name}.attention.key_length", width)
    value = header.integer(f"{name}.attention.value_length", width)
    kv_heads = _whole(header, f"{name}.attention.head_count_kv", heads)
    if f"{name}.attention.key_length_mla" in header:
        return 1, key, 0
    return kv_heads, key, value


def _whole(header: GgufHeader, key: str, default: int) -> int:
    """A number, or the largest of a list with one for each layer."""
    if header.count(key):
        return int(max(header.numbers(key)))
    return header.integer(key, default)


def _has_8_bit_blocks(header: GgufHeader) -> bool:
    _, key, value = _head_widths(header)
    return key % _Q8_0_BLOCK == 0 and value % _Q8_0_BLOCK == 0


def _bytes_per_token(header: GgufHeader, kv_cache: KvCacheType) -> int:
    heads, key, value = _head_widths(header)
    numbers = header.integer(f"{header.architecture}.block_count", 1) * heads * (key + value)
    return numbers * _Q8_0_BLOCK_BYTES // _Q8_0_BLOCK if kv_cache == "int8" else numbers * 2
