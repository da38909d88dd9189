"""What OpenVINO makes of a tokenizer is kept between starts, and never kept wrong."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from seekway.engine.openvino.tokenizer_cache import open_tokenizer

TINY = Path(__file__).parents[3] / "fixtures" / "tiny" / "qwen2.gguf"
pytestmark = pytest.mark.model


def _files(directory: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in directory.rglob("*") if path.is_file()}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return Path(shutil.copy(TINY, tmp_path / "model.gguf"))


def test_the_second_start_reads_what_the_first_one_kept(model: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    assert open_tokenizer(model, kept) is not None
    files = _files(kept)
    assert files
    assert open_tokenizer(model, kept) is not None
    assert _files(kept) == files


def test_nothing_is_written_beside_the_model(model: Path, tmp_path: Path) -> None:
    open_tokenizer(model, tmp_path / "kept")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept", "model.gguf"]


def test_a_changed_file_gets_a_new_one_and_the_old_one_goes(model: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    open_tokenizer(model, kept)
    (before,) = kept.iterdir()
    os.utime(model, ns=(1, 1))
    assert open_tokenizer(model, kept) is not None
    (after,) = kept.iterdir()
    assert after != before


def test_a_damaged_one_is_made_again_at_the_next_start(model: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    open_tokenizer(model, kept)
    damaged = next(kept.glob("*/openvino_tokenizer.xml"))
    damaged.write_bytes(damaged.read_bytes()[:100])
    assert open_tokenizer(model, kept) is None
    assert list(kept.iterdir()) == []
    assert open_tokenizer(model, kept) is not None


def test_a_place_that_cannot_be_written_to_keeps_nothing(model: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert open_tokenizer(model, tmp_path / "file") is None


def test_a_file_that_is_no_model_leaves_nothing_behind(tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + bytes(100))
    assert open_tokenizer(broken, tmp_path / "kept") is None
    assert list((tmp_path / "kept").iterdir()) == []
