"""How many sequences of which length a budget allows."""

from pathlib import Path

import gguf
import pytest

from seekway.core.errors import InsufficientMemory
from seekway.engine.base import EngineOptions
from seekway.engine.gguf.header import GgufHeader, read_header
from seekway.engine.llamacpp.plan import LoadPlan, plan_load
from tests.unit.engine.llamacpp.tiny import TINY

_MIB = 1024 * 1024


def _header(path: Path, *, context: int = 32768, width: int = 64) -> GgufHeader:
    """A model of 16 layers with 4 KV heads: at width 64, 8,704 bytes for each token in 8 bits."""
    writer = gguf.GGUFWriter(path / "model.gguf", "llama")
    writer.add_context_length(context)
    writer.add_embedding_length(width * 8)
    writer.add_block_count(16)
    writer.add_head_count(8)
    writer.add_head_count_kv(4)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return read_header(path / "model.gguf")


def _plan(header: GgufHeader, *, context_length: int = 0, mib: int = 512, max_running: int = 32) -> LoadPlan:
    return plan_load(
        header,
        EngineOptions(
            model_path=header.path, context_length=context_length, kv_cache_bytes=mib * _MIB, max_running=max_running
        ),
    )


def test_a_context_that_was_asked_for_is_kept_and_slots_give_way(tmp_path: Path) -> None:
    header = _header(tmp_path)
    assert (_plan(header, context_length=8192).slots, _plan(header, context_length=8192).context_length) == (7, 8192)
    assert _plan(header, context_length=2048).slots == 8
    assert _plan(header, context_length=2048, max_running=3).slots == 3


def test_a_context_too_big_for_one_slot_is_cut_to_the_budget(tmp_path: Path) -> None:
    plan = _plan(_header(tmp_path), context_length=32768, mib=64)
    assert (plan.slots, plan.context_length) == (1, 7680)


def test_a_context_left_open_makes_room_for_four(tmp_path: Path) -> None:
    plan = _plan(_header(tmp_path))
    assert (plan.slots, plan.context_length) == (4, 15360)
    assert plan.kv_cache_bytes <= 512 * _MIB
    assert _plan(_header(tmp_path, context=2048)).context_length == 2048


def test_a_budget_without_room_for_a_short_sequence_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InsufficientMemory, match="allow at least 3 MiB"):
        _plan(_header(tmp_path), mib=1)


def test_heads_without_8_bit_blocks_fall_back_to_16_bits_and_say_so(tmp_path: Path) -> None:
    plan = _plan(_header(tmp_path, width=80))
    assert plan.kv_cache == "f16"
    assert _plan(_header(tmp_path)).kv_cache == "int8"


def test_without_flash_attention_the_cache_is_16_bits(tmp_path: Path) -> None:
    header = _header(tmp_path)
    plan = plan_load(header, EngineOptions(model_path=header.path, flash_attention=False))
    assert (plan.kv_cache, plan.flash_attention) == ("f16", False)


def test_latent_attention_keeps_one_narrow_row_for_each_token() -> None:
    plan = _plan(read_header(TINY / "deepseek-v3.gguf"), context_length=1024, max_running=1)
    # 3 layers, a latent of 64 and a rotated part of 32, 34 bytes for 32 numbers.
    assert plan.kv_cache_bytes == 1024 * 3 * 96 * 34 // 32
