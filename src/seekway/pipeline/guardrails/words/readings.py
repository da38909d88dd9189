"""Where terms may stand in a text, reading by reading: as it is, repeated, by its sounds, in leetspeak, in parts."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from functools import cache
from itertools import accumulate
from operator import eq
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from seekway.pipeline.guardrails.normalise.characters import FIRST_HAN, sounds
from seekway.pipeline.guardrails.normalise.folded import Folded
from seekway.pipeline.guardrails.normalise.gaps import Gap, gap_before
from seekway.pipeline.guardrails.words.entries import (
    ALLOWED,
    LEET,
    PAIR,
    SQUEEZED,
    TERM,
    TRIGGER,
    Entry,
    Index,
    read_as_leet,
)
from seekway.pipeline.guardrails.words.judge import Span, Verdict, judge, judge_leet, sounds_alike, squeezed_span
from seekway.pipeline.guardrails.words.parts import composed

_SIGNS = tuple(sign for sign in LEET if not sign.isdigit())
_DIGITS_AS_ONE = bytes([0x30 if chr(code) in LEET and chr(code).isdigit() else 0x20 for code in range(256)])
_ARRAY_CHARS = 100  # from here on arrays are faster than loops


class Match(NamedTuple):
    """The entry ``number`` where ``span`` says, and how sure that is."""

    number: int
    span: Span
    verdict: Verdict
    score: float


class Reading:
    """One text, and all that is found in it.

    ``has_leet``, ``has_repeats`` and ``has_parts`` say which readings besides the plain one make sense of it; ``codes`` are its letters by
    their sounds, where it holds others than ASCII's.
    """

    def __init__(self, index: Index, folded: Folded, *, final: bool) -> None:
        self._index = index
        self._folded = folded
        self._final = final
        self.matches: list[Match] = []
        self.has_repeats = self.has_parts = False
        self.codes = ""
        letters = folded.letters
        self.has_leet = bool(index.leet) and (not letters.isalpha() or has_signs(folded.text))
        if not letters:
            return
        if letters.isascii():
            has_alphabet = True
            if hits := index.alphabet.find(letters):
                self._read_letters(hits, index.alphabet.meanings)
        else:
            has_alphabet = letters.islower()
            if hits := index.letters.find(letters):
                self._read_letters(hits, index.letters.meanings)
            if index.sounds:
                self._read_sounds()
                if has_alphabet:
                    self._read_pinyin()
        if self.has_leet and has_alphabet:
            self._read_leet()

    def _add(self, number: int, span: Span, verdict: Verdict, score: float) -> None:
        if verdict is not Verdict.NO and not span.is_too_long():
            self.matches.append(Match(number, span, verdict, score))

    def _read_letters(self, hits: list[tuple[int, int, int]], meanings: Sequence[tuple[int, ...]]) -> None:
        index = self._index
        for key, begin, end in hits:
            for meaning in meanings[key]:
                if meaning < 0:
                    span = Span(self._folded, begin, end, final=self._final)
                    starts = list(range(end - begin + 1))
                    self._add(~meaning, span, _judge_pinyin(span, index.entries[~meaning], starts), 0.8)
                    continue
                kind = meaning & 3
                if kind in {TERM, ALLOWED}:
                    entry = index.entries[meaning >> 2]
                    span = Span(self._folded, begin, end, final=self._final)
                    self._add(meaning >> 2, span, judge(span, entry), 1.0)
                elif kind == TRIGGER:
                    self.has_parts |= meaning == PAIR
                    self.has_repeats |= meaning != PAIR
        if self.has_repeats:
            self._read_repeats()
        if self.has_parts:
            self._read_parts()

    def _read_repeats(self) -> None:
        """Letters that are repeated read once."""
        index, folded = self._index, self._folded
        letters = folded.letters
        at = folded.places
        repeated = [k for k in _repeated(letters) if at[k] - at[k - 1] == 1 or gap_before(folded, k) != Gap.FAR]
        single, places = _without(letters, repeated)
        for key, begin, end in index.letters.find(single):
            if places[end] - places[begin] == end - begin:
                continue  # nothing is repeated here
            for meaning in index.letters.meanings[key]:
                if meaning & 3 not in {TERM, SQUEEZED} or _is_exact(index.entries[meaning >> 2]):
                    continue
                entry = index.entries[meaning >> 2]
                span = squeezed_span(folded, list(places[begin : end + 1]), entry, final=self._final)
                if span is not None:
                    self._add(meaning >> 2, span, judge(span, entry), 0.9)

    def _read_sounds(self) -> None:
        index, letters = self._index, self._folded.letters
        self.codes = letters.translate(sounds().codes)
        for key, begin, end in index.sounds.find(self.codes):
            for number in index.sounds.meanings[key]:
                entry = index.entries[number]
                if sounds_alike(letters[begin:end], entry):
                    span = Span(self._folded, begin, end, final=self._final)
                    if max(span.gaps) <= Gap.ODD or (len(entry.letters) >= 4 and min(span.gaps) > Gap.INVISIBLE):
                        self._add(number, span, judge(span, entry), 0.8)

    def _read_pinyin(self) -> None:
        """Terms with some of their characters in pinyin, or in pinyin beside Chinese, which stand near letters of an alphabet."""
        letters = self._folded.letters
        spelled = sounds().spelled
        if len(letters) < _ARRAY_CHARS:
            self._read_pinyin_of(0, letters, letters.translate(spelled))
            return
        reach = self._index.most_characters
        alphabetic = np.flatnonzero(_codes(letters) < ord(FIRST_HAN))
        for near in np.split(alphabetic, np.flatnonzero(np.diff(alphabetic) > 2 * reach) + 1):
            if len(near):
                begin = max(0, int(near[0]) - reach)
                piece = letters[begin : int(near[-1]) + reach]
                self._read_pinyin_of(begin, piece, piece.translate(spelled))

    def _read_pinyin_of(self, base: int, letters: str, spelled: str) -> None:
        index = self._index
        meanings = index.alphabet.meanings
        hits = index.alphabet.find(spelled)
        if not hits:
            return
        starts = _starts(letters, spelled)
        for key, begin, end in hits:
            numbers = [~meaning for meaning in meanings[key] if meaning < 0]
            if not numbers:
                continue
            first, last = bisect_left(starts, begin), bisect_left(starts, end) - 1
            if starts[first] != begin or starts[last + 1] != end or not letters[first : last + 1].islower():
                continue  # a part of a syllable, or characters alone
            span = Span(self._folded, base + first, base + last + 1, final=self._final)
            for number in numbers:
                verdict = _judge_pinyin(
                    span, index.entries[number], [start - begin for start in starts[first : last + 2]]
                )
                self._add(number, span, verdict, 0.8)

    def _read_leet(self) -> None:
        index, folded = self._index, self._folded
        is_plain = not has_signs(folded.text)
        other = folded if is_plain else signs_as_letters(folded)
        low, high = _around_digits(folded.letters, index.leet_prefixes.most) if is_plain else (0, len(other.letters))
        for key, first, last in index.leet.find(read_as_leet(other.letters[low:high])):
            begin, end = low + first, low + last
            if is_plain and other.letters[begin:end].isalpha():
                continue  # written with letters alone
            span = Span(other, begin, end, final=self._final)
            places = other.places
            written = "".join(
                folded.text[places[k]] if folded.text[places[k]] in LEET else other.letters[k]
                for k in range(begin, end)
            )
            for number in index.leet.meanings[key]:
                self._add(number, span, judge_leet(span, index.entries[number], written), 0.9)

    def _read_parts(self) -> None:
        """Pairs of components read as the character that they make."""
        letters, folded = self._folded.letters, self._folded
        compose = self._index.compose
        pairs = [
            k
            for k in range(len(letters) - 1)
            if letters[k : k + 2] in compose and gap_before(folded, k + 1) <= Gap.JOINER
        ]
        for number, begin, end in sorted(set(composed(self._index, letters, pairs))):
            if _is_exact(self._index.entries[number]):
                continue
            span = Span(folded, begin, end, final=self._final)
            if max(span.gaps) <= Gap.JOINER and span.begins_word():
                self._add(number, span, span.ends_word(), 0.8)


def _around_digits(letters: str, reach: int) -> tuple[int, int]:
    """From ``reach`` letters before the first digit that may stand for a letter to as many behind the last one."""
    digits = letters.encode("ascii", "replace").translate(_DIGITS_AS_ONE)
    first = digits.find(b"0")
    return (0, 0) if first < 0 else (max(0, first - reach), digits.rfind(b"0") + reach + 1)


def _codes(letters: str) -> npt.NDArray[np.uint32]:
    return np.frombuffer(letters.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)


def _repeated(letters: str) -> list[int]:
    """Which letters are the same as the one before."""
    if len(letters) < _ARRAY_CHARS:
        return [k for k, same in enumerate(map(eq, letters, letters[1:]), 1) if same]
    codes = _codes(letters)
    found: list[int] = (np.flatnonzero(codes[1:] == codes[:-1]) + 1).tolist()
    return found


def _without(letters: str, dropped: list[int]) -> tuple[str, Sequence[int]]:
    """``letters`` without some of them, where each of those left stood, and where the text ends."""
    pieces = [letters[begin:end] for begin, end in zip([0, *[k + 1 for k in dropped]], [*dropped, None], strict=True)]
    kept = np.ones(len(letters) + 1, dtype=np.bool_)
    kept[dropped] = False
    return "".join(pieces), np.flatnonzero(kept).data


def _starts(letters: str, spelled: str) -> Sequence[int]:
    """Where each of ``letters`` begins in what they are ``spelled``, and where the last one ends."""
    if len(letters) == len(spelled):
        return range(len(letters) + 1)
    if len(letters) < _ARRAY_CHARS:
        known = sounds().pinyin
        return [0, *accumulate([len(known.get(ord(letter), letter)) for letter in letters])]
    sizes = _syllable_sizes()
    starts = np.zeros(len(letters) + 1, dtype=np.intp)
    np.cumsum(sizes[np.minimum(_codes(letters), len(sizes) - 1)], out=starts[1:])
    return starts.data


@cache
def _syllable_sizes() -> npt.NDArray[np.intp]:
    """By code point; the last one is of all that is beyond."""
    sizes = [len(one) if isinstance(one, str) else 1 for one in sounds().spelled]
    return np.array([*sizes, 1], dtype=np.intp)


def has_signs(text: str) -> bool:
    return "!" in text or "@" in text or "$" in text or "|" in text


def signs_as_letters(folded: Folded) -> Folded:
    text = folded.text
    for sign in _SIGNS:
        text = text.replace(sign, LEET[sign][0])
    return folded.reread(text)


def _is_exact(entry: Entry) -> bool:
    return entry.term is not None and entry.term.exact


def _judge_pinyin(span: Span, entry: Entry, starts: list[int]) -> Verdict:
    """``starts`` says where each letter begins, spelled out; separators may stand between syllables only."""
    if entry.term is None or max(span.gaps, default=Gap.NONE) > Gap.CLAUSE:
        return Verdict.NO
    letters = span.folded.letters
    bounds = {0: 0}
    for k, letter in enumerate(entry.letters):
        bounds[max(bounds) + len(sounds().pinyin.get(ord(letter), letter))] = k + 1
    characters = 0
    for k in range(span.begin, span.end):
        syllable = bounds.get(starts[k - span.begin])
        if not letters[k].isascii():
            if syllable is None or syllable >= len(entry.letters) or letters[k] != entry.letters[syllable]:
                return Verdict.NO
            characters += 1
        elif syllable is None and span.gaps[k - span.begin - 1] > Gap.INVISIBLE:
            return Verdict.NO
    if characters == len(entry.letters):
        return Verdict.NO  # written as it is
    size = starts[-1]
    if characters == 0 and (size < 5 if entry.term.homophones else size < 8 or len(entry.letters) < 3):
        return Verdict.NO
    return span.ends_word() if span.begins_word() else Verdict.NO
