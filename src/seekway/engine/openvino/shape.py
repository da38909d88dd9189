"""What the engine must know of a model before it loads it: dimensions, vocabulary and the memory of its weights."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from seekway.core.errors import ModelFileError
from seekway.engine.gguf.header import GgufHeader, TensorInfo, read_header

ARCHITECTURES: Final = frozenset({"llama", "qwen2", "qwen3"})
"""What OpenVINO GenAI reads from GGUF."""

_KEPT_WEIGHT_BITS: Final = {"Q4_0": 5.0, "Q4_1": 5.0, "Q4_K": 5.0, "Q8_0": 9.0, "Q6_K": 10.0, "F32": 32.0}
"""Bits of a weight as OpenVINO keeps it, its scale and offset (two float16 a group of 32, of 16 for Q6_K) included."""

_OTHER_WEIGHT_BITS: Final = 16.0
"""Every other type is turned into float16."""


class ModelShape(msgspec.Struct, frozen=True):
    """``head_size`` is the length of one head's key and value; ``weight_bytes`` the weights' memory once loaded."""

    layers: int
    kv_heads: int
    head_size: int
    vocabulary: int
    context_length: int
    weight_bytes: int


def read_shape(path: Path) -> ModelShape:
    """Raises ``ModelFileError`` when the file is not a GGUF of an architecture that OpenVINO GenAI reads."""
    header = read_header(path)
    name = header.architecture
    if name not in ARCHITECTURES:
        raise ModelFileError(f"OpenVINO cannot run the architecture {name} of {path.name}; use the llamacpp engine.")
    heads = _dimension(header, "attention.head_count")
    return ModelShape(
        layers=_dimension(header, "block_count"),
        kv_heads=_dimension(header, "attention.head_count_kv", heads),
        head_size=_dimension(header, "attention.key_length", _dimension(header, "embedding_length") // heads),
        vocabulary=_vocabulary(header),
        context_length=_dimension(header, "context_length"),
        weight_bytes=sum(_kept_bytes(tensor) for tensor in header.tensors),
    )


def _dimension(header: GgufHeader, name: str, default: int = 0) -> int:
    value = header.integer(f"{header.architecture}.{name}", default)
    if value <= 0:
        raise ModelFileError(f"{header.path.name} does not say {name}; download the file again.")
    return value


def _vocabulary(header: GgufHeader) -> int:
    """Rows of the embedding, which may be more than the tokenizer has tokens."""
    for tensor in header.tensors:
        if tensor.name == "token_embd.weight":
            return tensor.shape[1]
    raise ModelFileError(f"{header.path.name} has no token embedding; download the file again.")


def _kept_bytes(tensor: TensorInfo) -> int:
    weights = 1
    for size in tensor.shape:
        weights *= size
    return int(weights * _KEPT_WEIGHT_BITS.get(tensor.type, _OTHER_WEIGHT_BITS) / 8)
