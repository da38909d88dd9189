"""Text becomes the tokens its model was trained on, and tokens become the bytes they stand for."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seekway.core.errors import InvalidParameter, ModelFileError
from seekway.engine.base import SampledToken
from seekway.engine.detokenize import Detokenizer
from seekway.engine.gguf.header import read_header
from seekway.engine.gguf.pretokenizer import pretokenizer_of
from seekway.engine.gguf.tokenizer import TextTokenizer
from tests.fakes.gguf_file import Value, byte_level_values, write_gguf
from tests.fakes.local_model import make_tokenizer

FIXTURES = Path(__file__).parents[3] / "fixtures"


class Pretokenized(msgspec.Struct):
    """Cut by our patterns when these gave, with real vocabularies, the ids of llama.cpp for every text (DeepSeek-V3's: of its tokenizer.json)."""

    texts: list[str]
    pieces: dict[str, list[list[str]]]


RECORDED = msgspec.json.decode((FIXTURES / "pretokenized.json").read_bytes(), type=Pretokenized)


@pytest.mark.parametrize("name", sorted(RECORDED.pieces))
def test_text_is_cut_as_the_model_learned_it(name: str, tmp_path: Path) -> None:
    pretokenizer = pretokenizer_of(name)
    assert pretokenizer is not None
    for text, pieces in zip(RECORDED.texts, RECORDED.pieces[name], strict=True):
        encoded = text.encode()
        ends = [len(text[:end].encode()) for _, (_, end) in pretokenizer.pre_tokenize_str(text)]
        cut = [encoded[a:b].decode() for a, b in zip([0, *ends], ends, strict=False)]
        assert cut == pieces


def sentencepiece_values() -> dict[str, Value]:
    tokens = ["<unk>", "<s>", "</s>", "<0xE4>", "<0xB8>", "<0x96>", "▁", "h", "i", "▁h", "hi", "▁hi"]
    return {
        "general.architecture": "llama",
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": [2, 3, 3, 6, 6, 6, 1, 1, 1, 1, 1, 1],
        "tokenizer.ggml.scores": [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, -9.0, -8.0, -7.0, -2.0, -1.0, -3.0],
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
        "tokenizer.ggml.unknown_token_id": 0,
    }


def test_sentencepiece_joins_the_best_scored_neighbours_first(tmp_path: Path) -> None:
    tokenizer = TextTokenizer(read_header(write_gguf(tmp_path / "m.gguf", sentencepiece_values())))
    assert tokenizer.encode("hi hi", add_bos=True) == [1, 11, 11]
    assert tokenizer.encode("世") == [6, 3, 4, 5]
    assert b"".join(map(tokenizer.token_bytes, tokenizer.encode("hi 世"))).decode() == " hi 世"


def test_special_tokens_are_never_cut(tmp_path: Path) -> None:
    tokenizer = make_tokenizer(tmp_path)
    assert tokenizer.encode("<|im_start|><think>") == [1, 3]
    assert tokenizer.special_id("</think>") == 4
    assert tokenizer.special_id("a") is None


def test_the_beginning_token_is_put_first_once(tmp_path: Path) -> None:
    values = byte_level_values() | {"tokenizer.ggml.add_bos_token": True}
    tokenizer = TextTokenizer(read_header(write_gguf(tmp_path / "m.gguf", values)))
    assert tokenizer.encode("<|im_start|>", add_bos=True) == [1]
    assert tokenizer.encode("<|im_end|>", add_bos=True) == [1, 2]
    assert tokenizer.encode("<|im_end|>") == [2]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(text=st.text(max_size=40))
def test_bytes_come_back_whole_and_never_as_half_characters(tmp_path: Path, text: str) -> None:
    tokenizer = make_tokenizer(tmp_path)
    detokenizer = Detokenizer(tokenizer, frozenset())
    shown = [detokenizer.feed((SampledToken(i),)) for i in tokenizer.encode(text)]
    assert "".join(shown) + detokenizer.finish() == text
    assert "\ufffd" in text or not any("\ufffd" in piece for piece in shown)


def test_bytes_that_never_become_a_character_are_marked(tmp_path: Path) -> None:
    tokenizer = make_tokenizer(tmp_path)
    first = tokenizer.encode("世")[0]
    detokenizer = Detokenizer(tokenizer, frozenset())
    assert detokenizer.feed((SampledToken(first),)) == ""
    assert detokenizer.finish() == "\ufffd"


def test_half_a_surrogate_pair_is_the_clients_fault(tmp_path: Path) -> None:
    with pytest.raises(InvalidParameter):
        make_tokenizer(tmp_path).encode("\ud800")


@pytest.mark.parametrize(
    "change",
    [
        {"tokenizer.ggml.model": "bert"},
        {"tokenizer.ggml.pre": "nobody knows"},
        {"tokenizer.ggml.tokens": []},
        {"tokenizer.ggml.token_type": [1]},
        {"tokenizer.ggml.merges": ["not there"]},
        {"tokenizer.ggml.model": "llama", "tokenizer.ggml.scores": [0.5]},
    ],
)
def test_a_tokenizer_that_cannot_be_built_is_told(tmp_path: Path, change: dict[str, Value]) -> None:
    header = read_header(write_gguf(tmp_path / "m.gguf", byte_level_values() | change))
    with pytest.raises(ModelFileError):
        TextTokenizer(header)


@pytest.mark.model
def test_the_demo_models_tokens_are_those_of_llama_cpp(demo_model: Path) -> None:
    tokenizer = TextTokenizer(read_header(demo_model))
    recorded: dict[str, list[int]] = json.loads((FIXTURES / "demo_tokens.json").read_text("utf-8"))
    for text, ids in recorded.items():
        assert tokenizer.encode(text) == ids
        assert b"".join(map(tokenizer.token_bytes, ids)).decode() == text
