"""A Llama of two layers with random weights as a GGUF file; it has a vocabulary of bytes, so that llama.cpp loads it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from gguf.constants import GGMLQuantizationType, TokenType
from gguf.gguf_writer import GGUFWriter

LAYERS = 2
VOCABULARY = 259


def write_tiny_gguf(
    path: Path, *, width: int = 256, architecture: str = "llama", half: bool = True, tied: bool = False
) -> Path:
    """``width`` is the embedding's; 256 divides into K-quant blocks, 64 does not."""
    writer = GGUFWriter(path, architecture)
    writer.add_block_count(LAYERS)
    writer.add_context_length(512)
    writer.add_embedding_length(width)
    writer.add_feed_forward_length(2 * width)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(width // 4)
    writer.add_vocab_size(VOCABULARY)
    _add_tokenizer(writer)
    rng = np.random.default_rng(7)

    def add(name: str, *shape: int) -> None:
        values = rng.standard_normal(shape).astype(np.float32) * 0.05
        if half and len(shape) == 2:
            writer.add_tensor(name, values.astype(np.float16), raw_dtype=GGMLQuantizationType.F16)
        else:
            writer.add_tensor(name, values + (1.0 if len(shape) == 1 else 0.0))

    add("token_embd.weight", VOCABULARY, width)
    for layer in range(LAYERS):
        add(f"blk.{layer}.attn_norm.weight", width)
        add(f"blk.{layer}.attn_q.weight", width, width)
        add(f"blk.{layer}.attn_k.weight", width // 2, width)
        add(f"blk.{layer}.attn_v.weight", width // 2, width)
        add(f"blk.{layer}.attn_output.weight", width, width)
        add(f"blk.{layer}.ffn_norm.weight", width)
        add(f"blk.{layer}.ffn_gate.weight", 2 * width, width)
        add(f"blk.{layer}.ffn_up.weight", 2 * width, width)
        add(f"blk.{layer}.ffn_down.weight", width, 2 * width)
    add("output_norm.weight", width)
    if not tied:
        add("output.weight", VOCABULARY, width)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _add_tokenizer(writer: GGUFWriter) -> None:
    writer.add_tokenizer_model("llama")
    writer.add_token_list(["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))])
    writer.add_token_scores([0.0] * VOCABULARY)
    writer.add_token_types([TokenType.UNKNOWN, TokenType.CONTROL, TokenType.CONTROL] + [TokenType.BYTE] * 256)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
