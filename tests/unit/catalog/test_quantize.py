"""A quantized file is right to the bit, whole or absent, and says what was done otherwise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from gguf.constants import GGMLQuantizationType as Q
from gguf.gguf_reader import GGUFReader
from gguf.quants import dequantize
from gguf.quants import quantize as reference_quantize

from seekway.catalog.perplexity import measure_perplexity, shipped_text
from seekway.catalog.quantization_mix import TARGETS, Target, choose_type, mix_of
from seekway.catalog.quantize import quantize
from seekway.core.errors import ModelFileError
from tests.fakes.tiny_gguf import write_tiny_gguf


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_tiny_gguf(tmp_path / "tiny-F16.gguf")


def types(path: Path) -> dict[str, Q]:
    return {tensor.name: Q(tensor.tensor_type) for tensor in GGUFReader(path).tensors}


@pytest.mark.parametrize("to", ["q8_0", "q4_0", "q4_1", "q5_0", "bf16"])
def test_the_bytes_equal_the_reference_implementation(source: Path, tmp_path: Path, to: Target) -> None:
    quantize(source, tmp_path / "out.gguf", to)
    before = {tensor.name: tensor for tensor in GGUFReader(source).tensors}
    compared = 0
    for tensor in GGUFReader(tmp_path / "out.gguf").tensors:
        kind = Q(tensor.tensor_type)
        if kind == mix_of(to).base:
            floats = before[tensor.name].data.astype(np.float32)
            assert np.array_equal(tensor.data, reference_quantize(floats, kind)), tensor.name
            compared += 1
    assert compared >= 14


@pytest.mark.parametrize("to", TARGETS)
def test_every_type_keeps_the_weights_and_the_metadata(source: Path, tmp_path: Path, to: Target) -> None:
    result = quantize(source, tmp_path / "out.gguf", to)
    before, after = GGUFReader(source), GGUFReader(result.path)
    originals = {tensor.name: tensor.data for tensor in before.tensors}
    for tensor in after.tensors:
        restored = dequantize(tensor.data, Q(tensor.tensor_type))
        assert np.abs(restored - originals[tensor.name].astype(np.float32)).max() < 0.03, tensor.name
    for key, field in before.fields.items():
        if not key.startswith("GGUF.") and key != "general.file_type":
            assert after.fields[key].contents() == field.contents(), key
    assert after.fields["general.file_type"].contents() == int(mix_of(to).file_type)
    assert result.bytes_after == sum(int(tensor.n_bytes) for tensor in after.tensors)
    assert result.notes == ()


def test_int8_takes_little_more_than_a_quarter_of_fp32(source: Path, tmp_path: Path) -> None:
    result = quantize(source, tmp_path / "out.gguf", "q8_0")
    assert 0.25 < result.bytes_after / result.bytes_fp32 < 0.27
    assert result.bytes_fp32 == 4 * result.parameters


def test_q4_k_m_spends_more_where_it_matters(source: Path, tmp_path: Path) -> None:
    quantize(source, tmp_path / "out.gguf", "q4_k_m")
    chosen = types(tmp_path / "out.gguf")
    assert chosen["output.weight"] == Q.Q6_K
    assert chosen["token_embd.weight"] == Q.Q4_K
    assert chosen["blk.1.attn_v.weight"] == chosen["blk.1.ffn_down.weight"] == Q.Q6_K
    assert chosen["blk.1.attn_q.weight"] == chosen["blk.0.ffn_up.weight"] == Q.Q4_K
    assert chosen["output_norm.weight"] == Q.F32


def test_in_a_deep_model_the_first_the_last_and_every_third_layer_get_more() -> None:
    def better(layer: int) -> bool:
        choice = choose_type(f"blk.{layer}.ffn_down.weight", (256, 256), Q.F16, mix_of("q4_k_m"), 32, tied=False)
        return choice.type == Q.Q6_K

    assert [layer for layer in range(32) if better(layer)] == [0, 1, 2, 3, 6, 9, 12, 15, 18, 21, 24, 27, 28, 29, 30, 31]


def test_a_tied_embedding_counts_as_the_output(tmp_path: Path) -> None:
    write_tiny_gguf(tmp_path / "tied.gguf", tied=True)
    quantize(tmp_path / "tied.gguf", tmp_path / "out.gguf", "q4_k_m")
    assert types(tmp_path / "out.gguf")["token_embd.weight"] == Q.Q6_K


def test_rows_that_do_not_divide_fall_back_and_are_noted(tmp_path: Path) -> None:
    write_tiny_gguf(tmp_path / "narrow.gguf", width=64)
    result = quantize(tmp_path / "narrow.gguf", tmp_path / "out.gguf", "q4_k_m")
    assert types(result.path)["blk.0.attn_q.weight"] == Q.Q5_0
    assert types(result.path)["output.weight"] == Q.Q8_0
    assert any("64 columns do not divide into blocks of Q4_K: Q5_0" in note for note in result.notes)


def test_quantizing_twice_is_noted(source: Path, tmp_path: Path) -> None:
    quantize(source, tmp_path / "once.gguf", "q8_0")
    result = quantize(tmp_path / "once.gguf", tmp_path / "twice.gguf", "q4_0")
    assert any("quantized already (Q8_0)" in note for note in result.notes)


def test_an_existing_target_is_not_overwritten(source: Path, tmp_path: Path) -> None:
    (tmp_path / "out.gguf").write_bytes(b"mine")
    with pytest.raises(ModelFileError, match="exists"):
        quantize(source, tmp_path / "out.gguf", "q8_0")
    assert (tmp_path / "out.gguf").read_bytes() == b"mine"


def test_what_fails_midway_leaves_no_file(source: Path, tmp_path: Path) -> None:
    def stop(done: int, total: int, name: str) -> None:
        if done > total / 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        quantize(source, tmp_path / "out.gguf", "q8_0", stop)
    assert [path.name for path in tmp_path.iterdir()] == ["tiny-F16.gguf"]


@pytest.mark.parametrize("keep", [0, 3, 20, 2000])
def test_a_cut_file_is_one_sentence(source: Path, tmp_path: Path, keep: int) -> None:
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(source.read_bytes()[:keep])
    with pytest.raises(ModelFileError) as caught:
        quantize(cut, tmp_path / "out.gguf", "q8_0")
    assert "\n" not in caught.value.message


def test_perplexity_of_random_weights_is_about_the_vocabulary(source: Path) -> None:
    measured = measure_perplexity(source, "The ferry leaves at seven. " * 20)
    assert 150 < measured.value < 600
    # A token a letter and three a space, for the tokenizer has only bytes and writes a space as U+2581, one of them in front.
    assert measured.tokens == 20 * 22 + 3 * (20 * 5 + 1)


def test_perplexity_of_a_file_that_does_not_load_is_one_sentence(tmp_path: Path) -> None:
    broken = write_tiny_gguf(tmp_path / "b.gguf", architecture="no-such-architecture")
    with pytest.raises(ModelFileError, match=r"llama\.cpp cannot load"):
        measure_perplexity(broken)


def test_the_shipped_text_is_english_and_chinese() -> None:
    text = shipped_text()
    assert len(text.split()) > 1000
    assert sum("一" <= letter <= "鿿" for letter in text) > 500


@pytest.mark.model
def test_int8_hardly_changes_the_demo_models_perplexity(demo_model: Path, tmp_path: Path) -> None:
    quantize(demo_model, tmp_path / "q8.gguf", "q8_0")
    before = measure_perplexity(demo_model, most_tokens=512)
    after = measure_perplexity(tmp_path / "q8.gguf", most_tokens=512)
    assert before.value < 100
    assert abs(after.value / before.value - 1) < 0.02
