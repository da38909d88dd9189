"""A GGUF header is read fast and never believed blindly."""

from __future__ import annotations

import contextlib
import struct
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seekway.core.errors import ModelFileError
from seekway.engine.gguf.header import read_header
from tests.fakes.gguf_file import byte_level_values, text, write_gguf


def test_metadata_comes_back_typed(tmp_path: Path) -> None:
    values = {"general.architecture": "qwen2", "a": 7, "b": True, "c": 0.5, "s": ["x", "yy"], "n": [1, -2], "f": [0.5]}
    header = read_header(write_gguf(tmp_path / "m.gguf", values))
    assert header.architecture == "qwen2"
    assert header.integer("a", 0) == 7
    assert header.boolean("b", default=False) is True
    assert header.optional_number("c") == 0.5
    assert header.strings("s") == ["x", "yy"]
    assert header.integers("n") == [1, -2]
    assert header.numbers("f") == [0.5]
    assert header.optional_integer("absent") is None
    assert header.count("s") == 2


def test_weights_and_quantization_are_told_from_the_tensors(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "m.gguf", {"general.architecture": "x"}, [("w", (64, 2), 8), ("n", (3,), 0)], data=136)
    header = read_header(path)
    assert header.weight_bytes == 4 * 34 + 12
    assert header.quantization == "Q8_0"
    assert header.tensors[0].shape == (64, 2)
    header.check_complete()


def test_a_file_cut_short_in_its_tensors_is_told(tmp_path: Path) -> None:
    header = read_header(write_gguf(tmp_path / "m.gguf", {"general.architecture": "x"}, [("w", (64, 2), 8)], data=100))
    with pytest.raises(ModelFileError, match="cut short"):
        header.check_complete()


def test_a_key_of_another_type_is_told(tmp_path: Path) -> None:
    header = read_header(write_gguf(tmp_path / "m.gguf", {"a": "text"}))
    for read in (
        lambda: header.integer("a", 0),
        lambda: header.strings("a"),
        lambda: header.boolean("a", default=True),
    ):
        with pytest.raises(ModelFileError, match="a is not"):
            read()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PK\x03\x04" + bytes(60),
        b"GGUF" + struct.pack(">IQQ", 3, 0, 0),
        b"GGUF" + struct.pack("<IQQ", 1, 0, 0),
        b"GGUF" + struct.pack("<IQQ", 3, 2**40, 0),
        b"GGUF" + struct.pack("<IQQ", 3, 0, 2**40),
        b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", 2**60),
        b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + text("k") + struct.pack("<IIQ", 9, 8, 2**60),
        b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + text("k") + struct.pack("<IIQ", 9, 4, 2**62),
        b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + text("k") + struct.pack("<IIQ", 9, 8, 1) + struct.pack("<Q", 2**63),
        b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + text("k") + struct.pack("<I", 99),
        b"GGUF" + struct.pack("<IQQ", 3, 1, 0) + text("t") + struct.pack("<I", 2**31),
        b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + text("k") + struct.pack("<IIQ", 9, 9, 1) * 9,
    ],
)
def test_a_lying_header_is_one_clear_error(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(data)
    with pytest.raises(ModelFileError):
        read_header(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None)
@given(data=st.data())
def test_no_damage_escapes_as_another_error(tmp_path: Path, data: st.DataObject) -> None:
    path = write_gguf(tmp_path / "m.gguf", byte_level_values())
    whole = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(whole[: data.draw(st.integers(1, len(whole)))]))
    with contextlib.suppress(ModelFileError):
        header = read_header(path)
        header.strings("tokenizer.ggml.tokens")
