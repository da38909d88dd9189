"""How many blocks of KV cache fit into the memory given."""

from __future__ import annotations

from typing import Final

from seekway.core.errors import StartupError
from seekway.engine.base import KvCacheType
from seekway.engine.openvino.shape import ModelShape

BLOCK_TOKENS: Final = 32
"""Tokens of a block; fixed in OpenVINO's CPU plugin."""

_SCALE_BYTES: Final = 8
"""A float32 scale and a float32 zero point stand beside each quantized group."""


def bytes_of_block(shape: ModelShape, kind: KvCacheType) -> int:
    """Memory of one block over all layers.

    With ``int8``, values are quantized a token and head at a time and keys a channel and block at a time,
    so a block holds 32 rows of ``head_size + 8`` bytes of values and ``head_size`` columns of ``32 + 8`` bytes of keys.
    """
    if kind == "f16":
        of_head = 2 * BLOCK_TOKENS * shape.head_size * 2
    else:
        of_head = BLOCK_TOKENS * (shape.head_size + _SCALE_BYTES) + shape.head_size * (BLOCK_TOKENS + _SCALE_BYTES)
    return shape.layers * shape.kv_heads * of_head


def blocks_within(shape: ModelShape, kind: KvCacheType, limit_bytes: int) -> int:
    """Blocks that fit into ``limit_bytes``; raises ``StartupError`` when not even two do."""
    block = bytes_of_block(shape, kind)
    blocks = limit_bytes // block
    if blocks < 2:
        raise StartupError(
            f"A KV cache of {limit_bytes} bytes is too small for this model, whose smallest is {2 * block}; raise kv_cache_bytes.",
            param="kv_cache_bytes",
        )
    return blocks


def context_within(shape: ModelShape, blocks: int, wanted: int) -> int:
    """The longest sequence: ``wanted`` tokens, or with 0 what model and cache allow.

    One sequence alone must always fit, else it could wait for ever; raises ``StartupError`` when ``wanted`` does not.
    """
    capacity = blocks * BLOCK_TOKENS
    if wanted == 0:
        return min(shape.context_length, capacity)
    if wanted > shape.context_length:
        raise StartupError(
            f"context_length {wanted} is more than the model's {shape.context_length} tokens; lower it.",
            param="context_length",
        )
    if wanted > capacity:
        raise StartupError(
            f"context_length {wanted} needs more KV cache than kv_cache_bytes gives, which is enough for {capacity} tokens; raise kv_cache_bytes or lower context_length.",
            param="context_length",
        )
    return wanted
