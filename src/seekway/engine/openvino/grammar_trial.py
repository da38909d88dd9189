"""Tries a constraint apart from running requests.

OpenVINO GenAI compiles a request's grammar in the middle of its first step, and a grammar that does not compile
makes that step raise, after which the pipeline refuses every other request too.
So each constraint is first tried in a second pipeline: a one-layer model of zeros with the same vocabulary.
It shares the first one's tokenizer and with that its grammar compiler, whose cache then spares the running requests the compilation.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from seekway.engine.base import Constraint
from seekway.engine.openvino.pipeline import OpenVinoPipeline, PipelineOptions, open_pipeline

if TYPE_CHECKING:
    import openvino_genai

_WIDTH = 32


class ConstraintTrial(Protocol):
    async def try_constraint(self, constraint: Constraint) -> None:
        """Raises ``InvalidParameter`` when the constraint cannot be compiled."""
        ...


class GrammarTrial:
    """Loads its small pipeline with the first constraint, in some 60 ms and 10 MB; tries one constraint at a time."""

    def __init__(self, tokenizer: openvino_genai.Tokenizer, vocabulary: int) -> None:
        self._tokenizer = tokenizer
        self._vocabulary = vocabulary
        self._pipeline: OpenVinoPipeline | None = None
        self._one_at_a_time = asyncio.Lock()

    async def try_constraint(self, constraint: Constraint) -> None:
        async with self._one_at_a_time:
            if self._pipeline is None:
                self._pipeline = await asyncio.to_thread(_open_small, self._tokenizer, self._vocabulary)
            await asyncio.to_thread(self._pipeline.try_constraint, constraint)


def _open_small(tokenizer: openvino_genai.Tokenizer, vocabulary: int) -> OpenVinoPipeline:
    with tempfile.TemporaryDirectory(prefix="seekway-") as folder:
        path = Path(folder) / "zeros.gguf"
        _write_zeros(path, vocabulary)
        options = PipelineOptions(
            model_path=path,
            threads=1,
            max_running=1,
            kv_cache="int8",
            kv_blocks=2,
            prefix_cache=False,
            batched_tokens=_WIDTH,
        )
        return open_pipeline(options, tokenizer)


def _write_zeros(path: Path, vocabulary: int) -> None:
    """A llama of one layer, one head and ``_WIDTH`` dimensions with ``vocabulary`` tokens, all weights zero, in float16."""
    from gguf import GGUFWriter

    writer = GGUFWriter(str(path), "llama")
    writer.add_block_count(1)
    writer.add_context_length(_WIDTH)
    writer.add_embedding_length(_WIDTH)
    writer.add_feed_forward_length(_WIDTH)
    writer.add_head_count(1)
    writer.add_head_count_kv(1)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10_000.0)
    writer.add_file_type(1)
    square, ones = np.zeros((_WIDTH, _WIDTH), np.float16), np.ones(_WIDTH, np.float32)
    writer.add_tensor("token_embd.weight", np.zeros((vocabulary, _WIDTH), np.float16))
    writer.add_tensor("output_norm.weight", ones)
    for name in ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"):
        writer.add_tensor(f"blk.0.{name}.weight", square)
    for name in ("attn_norm", "ffn_norm"):
        writer.add_tensor(f"blk.0.{name}.weight", ones)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
