from __future__ import annotations

import pytest

from seekway.core.errors import StartupError
from seekway.engine.openvino.kv_cache import blocks_within, bytes_of_block, context_within
from seekway.engine.openvino.shape import ModelShape

_SHAPE = ModelShape(
    layers=30, kv_heads=3, head_size=64, vocabulary=49_152, context_length=8192, weight_bytes=98_346_240
)


def test_a_block_is_as_large_as_openvino_makes_it() -> None:
    assert bytes_of_block(_SHAPE, "int8") == 437_760
    assert bytes_of_block(_SHAPE, "f16") == 737_280


def test_the_cache_stays_within_its_bound() -> None:
    blocks = blocks_within(_SHAPE, "int8", 512 * 1024 * 1024)
    assert blocks * bytes_of_block(_SHAPE, "int8") <= 512 * 1024 * 1024 < (blocks + 1) * bytes_of_block(_SHAPE, "int8")


def test_a_cache_too_small_for_anything_is_refused() -> None:
    with pytest.raises(StartupError, match="kv_cache_bytes"):
        blocks_within(_SHAPE, "int8", 500_000)


def test_the_context_is_the_models_own_unless_memory_is_short() -> None:
    assert context_within(_SHAPE, 1000, 0) == 8192
    assert context_within(_SHAPE, 10, 0) == 320
    assert context_within(_SHAPE, 1000, 4096) == 4096


@pytest.mark.parametrize(("blocks", "wanted"), [(10, 321), (1000, 8193)])
def test_a_context_that_one_sequence_could_never_fill_is_refused(blocks: int, wanted: int) -> None:
    with pytest.raises(StartupError, match="context_length"):
        context_within(_SHAPE, blocks, wanted)
