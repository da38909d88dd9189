"""Finds the tokens that llama.cpp's server does not show: those that end within a character.

The server streams a token only when the text so far ends at a whole UTF-8 character; of the tokens before it, it tells
how many they were and, with the last one's, their joined text. From these and the vocabulary the tokens are found again.
"""

from __future__ import annotations

import codecs
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Final

from seekway.engine.gguf.header import read_header

_NORMAL: Final = 1
_BYTE: Final = 6
_REPLACEMENT: Final = "\ufffd"


class Vocabulary:
    """The bytes of every token of a GGUF's tokenizer, read when first needed, which for most languages is never."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def hidden(self, text: str, last: int, count: int) -> tuple[int, ...]:
        """``count`` tokens that together with ``last`` wrote ``text``, the longest first piece preferred.

        Empty when the text is not theirs alone, as when it was no UTF-8 and the server has put U+FFFD in its place.
        """
        pieces, ids = self._table
        written, end = text.encode(), pieces.get(last, b"")
        if _REPLACEMENT in text or not written.endswith(end) or not end:
            return ()
        return self._split(written[: -len(end)], 0, count, ids)

    def _split(self, written: bytes, start: int, count: int, ids: dict[bytes, int]) -> tuple[int, ...]:
        if count == 1:
            last = ids.get(written[start:])
            return () if last is None else (last,)
        for end in range(len(written) - count + 1, start, -1):
            first = ids.get(written[start:end])
            if first is not None and _ends_within_character(written[:end]):
                rest = self._split(written, end, count - 1, ids)
                if rest:
                    return (first, *rest)
        return ()

    @cached_property
    def _table(self) -> tuple[dict[int, bytes], dict[bytes, int]]:
        header = read_header(self._path)
        texts = header.strings("tokenizer.ggml.tokens")
        types = header.integers("tokenizer.ggml.token_type") or [_NORMAL] * len(texts)
        byte_level = header.string("tokenizer.ggml.model") == "gpt2"
        letters = _byte_of_letter() if byte_level else {}
        pieces: dict[int, bytes] = {}
        ids: dict[bytes, int] = {}
        for id_, (text, type_) in enumerate(zip(texts, types, strict=True)):
            if type_ not in (_NORMAL, _BYTE):
                continue
            if byte_level:
                piece = bytes(letters[letter] for letter in text if letter in letters)
            else:
                piece = bytes((int(text[3:5], 16),)) if type_ == _BYTE else text.replace("▁", " ").encode()
            pieces[id_] = piece
            ids.setdefault(piece, id_)
        return pieces, ids


def _ends_within_character(written: bytes) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    decoder.decode(written)
    return decoder.getstate()[0] != b""


def _byte_of_letter() -> dict[str, int]:
    """GPT-2's byte alphabet: printable Latin-1 stands for itself, the other bytes in order from U+0100 on."""
    bounds = (0x00, 0x21, 0x7F, 0xA1, 0xAD, 0xAE, 0x100)
    letters: dict[str, int] = {}
    moved = 0x100
    for n, (start, end) in enumerate(pairwise(bounds)):
        for byte in range(start, end):
            if n % 2:
                letters[chr(byte)] = byte
            else:
                letters[chr(moved)] = byte
                moved += 1
    return letters
