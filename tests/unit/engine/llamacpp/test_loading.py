"""What loading tells, and how it refuses."""

from pathlib import Path

import gguf
import pytest

from seekway.core.errors import InsufficientMemory, ModelFileError
from seekway.engine.base import EngineOptions
from seekway.engine.llamacpp.engine import load_llamacpp
from tests.unit.engine.llamacpp.tiny import TINY, quiet

pytestmark = pytest.mark.model


async def _refused(path: Path) -> str:
    with pytest.raises(ModelFileError) as caught:
        await load_llamacpp(EngineOptions(model_path=path), quiet)
    assert "\n" not in caught.value.message
    return caught.value.message


@pytest.mark.parametrize("size", [0, 3, 30, 900, 20_000, 500_000, 870_000])
async def test_a_file_cut_short_anywhere_is_one_sentence(size: int, tmp_path: Path) -> None:
    path = tmp_path / "short.gguf"
    path.write_bytes((TINY / "qwen2.gguf").read_bytes()[:size])
    assert "short.gguf" in await _refused(path)


async def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    assert "cannot be read" in await _refused(tmp_path / "none.gguf")


async def test_a_file_that_is_no_gguf_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "text.gguf").write_bytes(b"these are no weights" * 100)
    assert "is not a GGUF file" in await _refused(tmp_path / "text.gguf")


async def test_an_architecture_that_llama_cpp_does_not_know_is_one_sentence(tmp_path: Path) -> None:
    writer = gguf.GGUFWriter(tmp_path / "odd.gguf", "unheard-of")
    writer.add_context_length(512)
    writer.add_block_count(1)
    writer.add_head_count(1)
    writer.add_embedding_length(32)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    assert "llama.cpp cannot load odd.gguf" in await _refused(tmp_path / "odd.gguf")


async def test_too_little_memory_is_refused_before_loading(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seekway.engine.llamacpp.engine.available_bytes", lambda: 1000)
    with pytest.raises(InsufficientMemory, match=r"qwen2\.gguf needs"):
        await load_llamacpp(EngineOptions(model_path=TINY / "qwen2.gguf"), quiet)


async def test_progress_rises_to_the_end() -> None:
    told: list[float] = []
    engine = await load_llamacpp(EngineOptions(model_path=TINY / "qwen2.gguf"), lambda _, done: told.append(done))
    await engine.close()
    assert told == sorted(told)
    assert (told[0], told[-1]) == (0.0, 1.0)
    assert 0.9 < engine.weight_bytes / (TINY / "qwen2.gguf").stat().st_size < 1


def _first_of_three(path: Path) -> Path:
    writer = gguf.GGUFWriter(path, "qwen2")
    writer.add_uint16("split.count", 3)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


async def test_a_split_model_with_a_missing_part_says_which(tmp_path: Path) -> None:
    assert "big-00002-of-00003.gguf" in await _refused(_first_of_three(tmp_path / "big-00001-of-00003.gguf"))


async def test_a_split_model_is_loaded_by_its_first_part(tmp_path: Path) -> None:
    assert "-00001-of-00003.gguf" in await _refused(_first_of_three(tmp_path / "big-00002-of-00003.gguf"))
