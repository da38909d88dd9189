"""Text to the tokens of multilingual-e5-small: a unigram model, the likeliest way to put a text together from pieces (Kudo 2018).

Written here, on NumPy: what the vocabulary's 250,000 pieces take as a trie or a dictionary of strings is 30 to 270 MB in the libraries measured
(``tokenizers`` 270, ``ahocorasick_rs`` 37, a ``dict`` 32), and 3 MB as a sorted array of hashes.
"""

from __future__ import annotations

import math
import re
from typing import Final

import numpy as np
import numpy.typing as npt

from seekway.engine.e5.weight_file import Pieces

Ids = npt.NDArray[np.int32]
_Hashes = npt.NDArray[np.uint64]
_Places = npt.NDArray[np.int64]

_SPACE: Final = "▁"
_SPACES: Final = re.compile(" {2,}")
_FACTOR: Final = np.uint64(0x9E3779B97F4A7C15)
_ONE: Final = np.uint64(1)
_UNKNOWN_PENALTY: Final = 10.0
"""By which an unknown character is less likely than the least likely piece; SentencePiece's constant."""


class Unigram:
    """Pieces are looked up by a hash of 64 bits: two of one hash would be told at the start, and a text that collides with a piece only spoils its own tokens."""

    def __init__(self, pieces: Pieces) -> None:
        """Raises ``ValueError`` where two pieces have one hash."""
        self._plain = pieces.plain
        self._scores = pieces.scores.astype(np.float64)
        self._unknown = pieces.unknown
        self._unknown_score = float(self._scores.min()) - _UNKNOWN_PENALTY
        characters = _characters(pieces.text.decode())
        begins = (np.frombuffer(pieces.text, np.uint8) & 0xC0) != 0x80
        places = np.concatenate([[0], np.cumsum(begins)])[pieces.offsets]
        lengths = np.diff(places)
        self.longest = int(lengths.max())
        hashes = np.zeros(len(lengths), np.uint64)
        for i in range(self.longest):
            going = np.flatnonzero(lengths > i)
            hashes[going] = hashes[going] * _FACTOR + characters[places[going] + i] + _ONE
        order = np.argsort(hashes, kind="stable")
        # A text that spells a control token, such as </s>, is text.
        order = order[~np.isin(order, pieces.controls)]
        self._hashes = hashes[order]
        self._ids = order.astype(np.int32)
        if (self._hashes[1:] == self._hashes[:-1]).any():
            raise ValueError("two pieces of the vocabulary have one hash")

    def encode(self, text: str) -> Ids:
        """Without the first and last token of a window. Characters that no piece holds are one unknown token for each run, as in SentencePiece."""
        plain = _SPACES.sub(" ", text.translate(self._plain))
        spaced = plain if plain.startswith(" ") else " " + plain
        characters = _characters(spaced.replace(" ", _SPACE))
        return self._likeliest(len(characters), *self._matches(characters))

    def _matches(self, characters: _Hashes) -> tuple[_Places, _Places, Ids]:
        """Every piece in the text: where it begins and ends, and its id; sorted by where it begins. No piece goes over a space's mark."""
        count = len(characters)
        marks = np.append(np.flatnonzero(characters == ord(_SPACE)), count)
        places = np.arange(count)
        room = marks[np.searchsorted(marks, places, side="right").clip(max=len(marks) - 1)] - places
        begins, ends, ids = [places[:0]], [places[:0]], [self._ids[:0]]
        hashes = np.zeros(count, np.uint64)
        single = np.zeros(count, bool)
        for length in range(1, self.longest + 1):
            fits = room >= length
            if not fits.all():
                places, room, hashes = places[fits], room[fits], hashes[fits]
            if not len(places):
                break
            hashes = hashes * _FACTOR + characters[places + length - 1] + _ONE
            at = np.searchsorted(self._hashes, hashes).clip(max=len(self._hashes) - 1)
            found = self._hashes[at] == hashes
            begins.append(places[found])
            ends.append(places[found] + length)
            ids.append(self._ids[at[found]])
            if length == 1:
                single[begins[-1]] = True
        alone = np.flatnonzero(~single)
        begins.append(alone)
        ends.append(alone + 1)
        ids.append(np.full(len(alone), self._unknown, np.int32))
        every = np.concatenate(begins)
        order = np.argsort(every, kind="stable")
        return every[order], np.concatenate(ends)[order], np.concatenate(ids)[order]

    def _likeliest(self, count: int, begins: _Places, ends: _Places, ids: Ids) -> Ids:
        """Viterbi's algorithm: the best way to each place, then back."""
        scores: list[float] = np.where(ids == self._unknown, self._unknown_score, self._scores[ids]).tolist()
        starts: list[int] = begins.tolist()
        stops: list[int] = ends.tolist()
        best = [0.0] + [-math.inf] * count
        came_by = [0] * (count + 1)
        for i, (begin, end, score) in enumerate(zip(starts, stops, scores, strict=True)):
            total = best[begin] + score
            if total > best[end]:
                best[end] = total
                came_by[end] = i
        path: list[int] = []
        place = count
        while place > 0:
            path.append(came_by[place])
            place = starts[path[-1]]
        tokens = ids[path[::-1]]
        again = np.zeros(len(tokens), bool)
        again[1:] = (tokens[1:] == self._unknown) & (tokens[:-1] == self._unknown)
        return tokens[~again]


def _characters(text: str) -> _Hashes:
    return np.frombuffer(text.encode("utf-32-le"), "<u4").astype(np.uint64)
