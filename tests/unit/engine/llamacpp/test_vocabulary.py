"""Tokens that the server does not show are found again, or honestly not."""

from pathlib import Path

import gguf
import pytest

from seekway.engine.llamacpp.vocabulary import Vocabulary
from tests.unit.engine.llamacpp.tiny import TINY, token_id

_BYTES = {0xF0: "ð", 0x9F: "Ł", 0x98: "ĺ", 0x80: "Ģ"}


def _ids(*values: int) -> tuple[int, ...]:
    return tuple(token_id("qwen2", _BYTES[value]) for value in values)


def test_the_bytes_of_a_split_character_are_found() -> None:
    vocabulary = Vocabulary(TINY / "qwen2.gguf")
    (last,) = _ids(0x80)
    assert vocabulary.hidden("😀", last, 3) == _ids(0xF0, 0x9F, 0x98)


@pytest.mark.parametrize(("text", "count"), [("\ufffdA", 1), ("😀", 2), ("x", 1)])
def test_what_cannot_be_known_is_left_out(text: str, count: int) -> None:
    vocabulary = Vocabulary(TINY / "qwen2.gguf")
    (last,) = _ids(0x80)
    assert vocabulary.hidden(text, last, count) == ()


def test_byte_tokens_of_a_sentencepiece_vocabulary_are_found(tmp_path: Path) -> None:
    tokens = ["<unk>", "▁a", *(f"<0x{byte:02X}>" for byte in "你".encode())]
    writer = gguf.GGUFWriter(tmp_path / "model.gguf", "llama")
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_types([gguf.TokenType.UNKNOWN, gguf.TokenType.NORMAL, *[gguf.TokenType.BYTE] * 3])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    assert Vocabulary(tmp_path / "model.gguf").hidden("你", 4, 2) == (2, 3)
