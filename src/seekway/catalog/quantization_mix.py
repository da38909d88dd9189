"""Which type each tensor of a model gets.

The K-quant mixes follow the rule of thumb that llama.cpp documents for its ``_M`` types (pull request 1684 and ``llama-quant.cpp``):
most tensors get the type of the name; ``attn_v`` and ``ffn_down`` get the next better one in the first and last eighth of the layers
and in every third between; the output matrix gets Q6_K, since its errors go straight into the token's probability.
Vectors, norms, the router of a mixture of experts and other small tensors stay as they are.
"""

from __future__ import annotations

import re
from typing import Literal, get_args

import msgspec
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType, LlamaFileType

Target = Literal["f32", "f16", "bf16", "q8_0", "q6_k", "q5_k_m", "q5_0", "q4_k_m", "q4_1", "q4_0"]
TARGETS: tuple[Target, ...] = get_args(Target)

Q = GGMLQuantizationType


class Mix(msgspec.Struct, frozen=True):
    """``base`` for most tensors, ``better`` for the sensitive ones, ``output`` for the output matrix."""

    base: GGMLQuantizationType
    better: GGMLQuantizationType
    output: GGMLQuantizationType
    file_type: LlamaFileType


_MIXES: dict[Target, Mix] = {
    "f32": Mix(Q.F32, Q.F32, Q.F32, LlamaFileType.ALL_F32),
    "f16": Mix(Q.F16, Q.F16, Q.F16, LlamaFileType.MOSTLY_F16),
    "bf16": Mix(Q.BF16, Q.BF16, Q.BF16, LlamaFileType.MOSTLY_BF16),
    "q8_0": Mix(Q.Q8_0, Q.Q8_0, Q.Q8_0, LlamaFileType.MOSTLY_Q8_0),
    "q6_k": Mix(Q.Q6_K, Q.Q6_K, Q.Q6_K, LlamaFileType.MOSTLY_Q6_K),
    "q5_k_m": Mix(Q.Q5_K, Q.Q6_K, Q.Q6_K, LlamaFileType.MOSTLY_Q5_K_M),
    "q5_0": Mix(Q.Q5_0, Q.Q5_0, Q.Q6_K, LlamaFileType.MOSTLY_Q5_0),
    "q4_k_m": Mix(Q.Q4_K, Q.Q6_K, Q.Q6_K, LlamaFileType.MOSTLY_Q4_K_M),
    "q4_1": Mix(Q.Q4_1, Q.Q4_1, Q.Q6_K, LlamaFileType.MOSTLY_Q4_1),
    "q4_0": Mix(Q.Q4_0, Q.Q4_0, Q.Q6_K, LlamaFileType.MOSTLY_Q4_0),
}

_FALLBACKS = {Q.Q4_K: Q.Q5_0, Q.Q5_K: Q.Q5_1, Q.Q6_K: Q.Q8_0}
_LAYER = re.compile(r"blk\.(\d+)\.")
_KEPT = re.compile(r"(_norm|ffn_gate_inp|time_mix|conv1d|ssm_|attn_rel_b|position_embd|token_types|altup|laurel)")


class Choice(msgspec.Struct, frozen=True):
    """``wanted`` differs from ``type`` where the rows do not divide into the wanted type's blocks."""

    type: GGMLQuantizationType
    wanted: GGMLQuantizationType


def mix_of(target: Target) -> Mix:
    return _MIXES[target]


def choose_type(
    name: str, shape: tuple[int, ...], source: GGMLQuantizationType, mix: Mix, layers: int, *, tied: bool
) -> Choice:
    """The type of tensor ``name``; ``shape`` as ggml orders it, columns first; ``tied``: the embedding is the output matrix too."""
    if len(shape) < 2 or not name.endswith(".weight") or _KEPT.search(name):
        return Choice(source, source)
    wanted = _wanted(name, mix, layers, tied=tied)
    return Choice(_fitting(wanted, shape[0]), wanted)


def _wanted(name: str, mix: Mix, layers: int, *, tied: bool) -> GGMLQuantizationType:
    if name == "output.weight" or (tied and name == "token_embd.weight"):
        return mix.output
    match = _LAYER.match(name)
    sensitive = "attn_v." in name or "ffn_down" in name
    if match and sensitive and _gets_more(int(match[1]), layers):
        return mix.better
    return mix.base


def _gets_more(layer: int, layers: int) -> bool:
    eighth = layers // 8
    return layer < eighth or layer >= 7 * layers // 8 or (layer - eighth) % 3 == 2


def _fitting(wanted: GGMLQuantizationType, columns: int) -> GGMLQuantizationType:
    if columns % GGML_QUANT_SIZES[wanted][0] == 0:
        return wanted
    smaller = _FALLBACKS.get(wanted)
    if smaller is not None and columns % GGML_QUANT_SIZES[smaller][0] == 0:
        return smaller
    return Q.F16
