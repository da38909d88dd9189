"""Where the longest end of a text begins that may still become a term, or a phrase that excuses one.

It may say more than is true, which holds a little more back, and never less.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from typing import Final

from seekway.pipeline.guardrails.normalise.characters import (
    FIRST_HAN,
    INVISIBLE,
    SEPARATOR,
    characters,
    pinyin_trigrams,
    sounds,
)
from seekway.pipeline.guardrails.normalise.entities import REFERENCE_CHARS, may_hold_references
from seekway.pipeline.guardrails.normalise.folded import Folded
from seekway.pipeline.guardrails.normalise.gaps import GAP_CHARS, SEPARATORS, Gap, gap_at_end, gap_before, is_alphabetic
from seekway.pipeline.guardrails.words.entries import Index, read_as_leet
from seekway.pipeline.guardrails.words.judge import FOUND_CHARS, is_of_word
from seekway.pipeline.guardrails.words.readings import Reading, signs_as_letters

_GAPS: Final = SEPARATOR + INVISIBLE
_FIRST_RUN: Final = 8  # of a Chinese character that begins a term and is repeated, no more are part of what is found


class Tail:
    """The end of ``text``, which ``folded`` holds from ``offset`` on; nothing before ``start`` matters any more."""

    def __init__(self, index: Index, text: str, folded: Folded, offset: int, start: int) -> None:
        self._index = index
        self._text = text
        self._folded = folded
        self._offset = offset
        self._least = offset + len(folded.source)
        self._floor = max(start, self._least - FOUND_CHARS)

    def begin(self, reading: Reading) -> int:
        """The place in the text; its end where nothing is open. ``reading`` is of the same text."""
        if reading.has_leet:
            other = signs_as_letters(self._folded)
            if _is_open(other):
                self._note(self._index.leet_prefixes.starts(read_as_leet(other.letters)), other)
        if _is_open(self._folded):
            self._read(reading)
        return self._least

    def _read(self, reading: Reading) -> None:
        index, folded = self._index, self._folded
        letters = folded.letters
        if reading.has_repeats or letters[-1] == letters[-2:-1]:
            self._read_repeats(letters)
        is_ascii = letters.isascii()
        if is_ascii and folded.is_plain and INVISIBLE not in folded.raw:
            self._read_words()
            return
        self._note(index.prefixes.starts(letters), folded)
        if not is_ascii:
            if reading.has_parts or letters[-1] in index.first_parts:
                self._read_parts(letters, has_pairs=reading.has_parts)
            if reading.codes:
                self._note(index.sound_prefixes.starts(reading.codes), folded)
        if index.sounds:
            self._read_pinyin(letters)

    def _read_words(self) -> None:
        """What an alphabet writes begins where a word does: of a text in ASCII only those places are asked for."""
        index = self._index
        prefixes, heads = index.prefixes, index.pinyin_heads
        most = max(prefixes.most, index.pinyin_most)
        tail = ""
        at = len(self._folded.raw)
        for word in reversed(self._folded.raw.split(SEPARATOR)):
            at -= len(word)
            if word:
                tail = word + tail
                place = self._offset + at
                if len(tail) > most or place < self._floor:
                    return
                is_begun = tail in prefixes or (tail[:3] in heads and index.pinyin_may_become(tail))
                if is_begun and place < self._least and (at or begins_word_at(self._text, place)):
                    self._least = place
            at -= 1

    def _note(self, starts: Sequence[int], folded: Folded) -> None:
        """Takes the earliest of ``starts``, which are in falling order, that a word may begin at."""
        for k in reversed(starts):
            place = self._offset + folded.original(folded.place_near_end(k))
            if place >= self._least:
                return
            if place >= self._floor and self._begins(folded, k, place):
                self._least = place
                return

    def _begins(self, folded: Folded, k: int, place: int) -> bool:
        if not is_alphabetic(folded.letters[k]):
            return True
        if k == 0:
            return begins_word_at(self._text, place)
        return not is_of_word(folded, k - 1) or gap_before(folded, k) > Gap.INVISIBLE

    def _read_repeats(self, letters: str) -> None:
        """Letters repeated at the end read once; the last of them may yet be repeated."""
        known = (self._index.squeezed_prefixes, self._index.prefixes)
        most = self._index.most
        single = ""
        lowest = self._first_letter()
        places: list[int] = []
        k = size = len(letters)
        while k > 0 and len(places) < most:
            letter = letters[k - 1]
            if single and not (known[0].has_inside(letter + single[0]) or known[1].has_inside(letter + single[0])):
                break
            end = k
            k -= 1
            while k > 0 and letters[k - 1] == letter:
                k -= 1
            single = letter + single
            # A term may begin within the run of its first character, what was passed on before it notwithstanding.
            places.append(max(k, end - _FIRST_RUN, min(lowest, end - 1)) if letter >= FIRST_HAN else k)
        if k + len(places) == size:
            return  # nothing is repeated
        places.reverse()
        for prefixes in known:
            self._note([places[k] for k in prefixes.starts(single)], self._folded)

    def _first_letter(self) -> int:
        """The first letter at which something may begin that has not been passed on."""
        folded, begin = self._folded, self._floor - self._offset
        return bisect_left(folded.places, begin, key=folded.original) if begin > 0 else 0

    def _read_pinyin(self, letters: str) -> None:
        index = self._index
        lowest = max(0, len(letters) - index.pinyin_most)
        if not letters[lowest:].islower():
            return
        tail = letters[lowest:]
        found: list[int] = []
        if tail.isascii():
            starts, spelled = range(len(tail)), tail
        else:
            known = sounds().pinyin
            syllables = [known.get(ord(letter), letter) for letter in tail]
            starts, spelled = [0, *accumulate(map(len, syllables[:-1]))], "".join(syllables)
        trigrams, heads = pinyin_trigrams(), index.pinyin_heads
        has_alphabet = False
        size = len(spelled)
        for k in range(len(tail) - 1, -1, -1):
            at = starts[k]
            has_alphabet = has_alphabet or tail[k] < FIRST_HAN
            head = spelled[at : at + 3]
            if head in heads:
                if has_alphabet and index.pinyin_may_become(spelled[at:]):
                    found.append(lowest + k)
            elif size - at >= 3 and head not in trigrams:
                break
        self._note(found, self._folded)

    def _read_parts(self, letters: str, *, has_pairs: bool) -> None:
        """Components at the end read as characters, in every way, the last of them perhaps without its partner."""
        index = self._index
        size = len(letters)
        lowest = max(0, size - 2 * index.prefixes.most - 1)
        pairs = [k for k in range(lowest, size - 1) if letters[k : k + 2] in index.compose] if has_pairs else []
        if not pairs and letters[-1] not in index.first_parts:
            return
        if not pairs:
            self._note(before_last_part(index, letters), self._folded)
            return
        first = max(lowest, pairs[0] - index.prefixes.most)
        found = [k for k in range(size - 1, first - 1, -1) if self._may_be_composed(letters, k)]
        self._note(found, self._folded)

    def _may_be_composed(self, letters: str, begin: int) -> bool:
        index = self._index
        prefixes, compose = index.prefixes, index.compose
        here, following = {""}, set[str]()
        for k in range(begin, len(letters)):
            composed = compose.get(letters[k : k + 2], "")
            after: set[str] = set()
            for read in here:
                if read + letters[k] in prefixes:
                    following.add(read + letters[k])
                if composed and (read + composed in prefixes or read + composed in index.meanings):
                    after.add(read + composed)
                if k == len(letters) - 1 and any(
                    read + character in prefixes or read + character in index.meanings
                    for character in index.first_parts.get(letters[k], ())
                ):
                    return True
            here, following = following, after
            if not here and not following:
                return False
        return bool(here)


def before_last_part(index: Index, letters: str) -> list[int]:
    """Where terms may begin if the last letter is the first component of a character, the last ones first."""
    characters_of = index.first_parts[letters[-1]]
    last = len(letters) - 1
    found = [last] if any(one in index.prefixes or one in index.meanings for one in characters_of) else []
    for k in index.prefixes.starts(letters[:-1]):
        read = letters[k:last]
        if any(read + one in index.prefixes or read + one in index.meanings for one in characters_of):
            found.append(k)
    return found


def _is_open(folded: Folded) -> bool:
    if not folded.letters:
        return False
    if folded.is_plain and len(folded.raw) - len(folded.raw.rstrip(_GAPS)) <= SEPARATORS:
        return True
    return gap_at_end(folded) < Gap.FAR


def begins_word_at(text: str, place: int) -> bool:
    """False only where a letter of an alphabet stands right before ``place``."""
    if may_hold_references(text[max(0, place - REFERENCE_CHARS) : place]):
        return True
    known = characters()
    for k in range(place - 1, max(-1, place - GAP_CHARS), -1):
        if text[k] not in known.invisible:
            read = known.fold_one(text[k])
            letter = read[-1] if isinstance(read, str) else chr(read)
            return letter == SEPARATOR or not is_alphabetic(letter)
    return True
