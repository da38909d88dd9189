"""A text folded: each character as what it stands for, and the letters alone, with the way back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from seekway.pipeline.guardrails.normalise.characters import INVISIBLE, SEPARATOR, characters
from seekway.pipeline.guardrails.normalise.entities import decode_references, may_hold_references

_DROPPED: Final = {ord(SEPARATOR): None, ord(INVISIBLE): None}
_ARRAY_CHARS: Final = 300  # from here on an array is faster than a loop


def letters_of(raw: str) -> str:
    """What is left of folded characters without separators and invisible ones."""
    joined = raw.replace(SEPARATOR, "")
    return joined.replace(INVISIBLE, "") if INVISIBLE in joined else joined


class Folded:
    """A text read through its disguises.

    ``text`` is the text with HTML's references read; ``raw`` what its characters stand for, ``letters`` the same without
    separators and what cannot be seen. Letter ``k`` stands for the character ``places[k]`` of ``text``.
    Places are computed only when something was found.
    ``is_cut`` says that more text stands before it.
    """

    def __init__(self, original: str, *, is_cut: bool = False) -> None:
        self.source = original
        self.is_cut = is_cut
        self._starts: list[int] | None = None
        if may_hold_references(original):
            original, self._starts = decode_references(original)
        self.text = original
        self._fold(original)

    def _fold(self, read: str) -> None:
        self._read = read
        self._places: Sequence[int] | None = None
        if read.isascii():
            self._raw: str | None = None
            self.letters = characters().ascii_letters(read)
        else:
            self._raw = raw = characters().fold(read)
            self.letters = letters_of(raw)

    def reread(self, read: str) -> Folded:
        """The same text with some of its characters read as others, as ``read``, which is as long, has them."""
        other = Folded.__new__(Folded)
        other.source, other.text, other._starts, other.is_cut = self.source, self.text, self._starts, self.is_cut
        if read == self._read:
            other._read, other._places, other._raw, other.letters = read, self._places, self._raw, self.letters
        else:
            other._fold(read)
        return other

    @property
    def raw(self) -> str:
        """Of most texts it is never asked for."""
        if self._raw is None:
            self._raw = characters().fold(self._read)
        return self._raw

    @property
    def places(self) -> Sequence[int]:
        if self._places is None:  # functools' cached property takes a lock, which costs more than a short text
            self._places = self._find_places()
        return self._places

    def place_near_end(self, letter: int) -> int:
        """``places[letter]``, counted from the end, without the others where it can be."""
        if self._places is not None or len(self.raw) != len(self._read):
            return self.places[letter]
        raw = self.raw
        place = len(raw)
        for _ in range(len(self.letters) - letter):
            place -= 1
            while raw[place] == SEPARATOR or raw[place] == INVISIBLE:
                place -= 1
        return place

    def _find_places(self) -> Sequence[int]:
        if len(self.raw) != len(self._read):
            return self._places_of_expanded()
        if len(self.letters) == len(self.raw):
            return range(len(self.raw))
        if len(self.raw) < _ARRAY_CHARS:
            return [k for k, c in enumerate(self.raw) if c not in {SEPARATOR, INVISIBLE}]
        codes = np.frombuffer(self.raw.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
        # A list of all would take longer than finding them, and few are asked for.
        return np.flatnonzero((codes != ord(SEPARATOR)) & (codes != 0)).data

    def _places_of_expanded(self) -> list[int]:
        fold = characters().fold_one
        places: list[int] = []
        for place, character in enumerate(self._read):
            read = fold(character)
            if isinstance(read, str):
                places.extend([place] * len(read))
            elif read not in _DROPPED:
                places.append(place)
        return places

    @property
    def is_plain(self) -> bool:
        """Whether every character was read as one: ``raw`` then has the places of the original."""
        return self._starts is None and len(self.raw) == len(self._read)

    def original_span(self, first: int, last: int) -> tuple[int, int]:
        """From where the character ``first`` of ``text`` begins in the original to where ``last`` ends."""
        if self._starts is None:
            return first, last + 1
        return self._starts[first], self._starts[last + 1]

    def original(self, place: int) -> int:
        """Where the character ``place`` of ``text``, or its end, stands in the original."""
        return place if self._starts is None else self._starts[place]
