"""One look at the end of a stream that tells, for ordinary writing, all that the detector would."""

from __future__ import annotations

from seekway.pipeline.guardrails.normalise.characters import FIRST_HAN, SEPARATOR, characters, sounds
from seekway.pipeline.guardrails.normalise.gaps import SEPARATORS
from seekway.pipeline.guardrails.words.automaton import SHORT
from seekway.pipeline.guardrails.words.entries import Index
from seekway.pipeline.guardrails.words.judge import FOUND_CHARS
from seekway.pipeline.guardrails.words.pending import before_last_part, begins_word_at
from seekway.pipeline.guardrails.words.readings import has_signs


class FirstLook:
    """Says no more and no less than :class:`.readings.Reading` and :class:`.pending.Tail` do of the same text, without what these
    keep for what may be found: the scan of a few letters costs half.
    """

    def __init__(self, index: Index) -> None:
        self._index = index
        self._fold = characters().fold
        self._codes = sounds().codes
        self._most = max(index.prefixes.most, index.pinyin_most)

    def safe(self, text: str, start: int) -> int | None:
        """What the scan has for ``safe`` where it finds nothing; None where it must look."""
        new = text[start:]
        if "&" in text or "\\" in text or len(new) > FOUND_CHARS:
            return None
        raw = self._fold(new)
        letters = raw.replace(SEPARATOR, "")
        if not letters.isalpha():  # also where there is something invisible, or a digit
            return None if letters or has_signs(new) else len(text)
        if (
            len(raw) != len(new)
            or letters[-1] == letters[-2:-1]
            or has_signs(new)
            or len(raw) - len(raw.rstrip(SEPARATOR)) > SEPARATORS
        ):
            return None
        index = self._index
        if letters.isascii():
            return None if index.alphabet.find(letters) else self._after_words(text, start, raw)
        return None if index.letters.find(letters) else self._after_characters(start, raw, letters)

    def _after_words(self, text: str, start: int, raw: str) -> int:
        """What an alphabet writes begins where a word does: only those places are asked for."""
        index = self._index
        prefixes, heads, most = index.prefixes, index.pinyin_heads, self._most
        short = prefixes.short
        at = size = len(raw)
        least = size
        tail = ""
        for word in reversed(raw.split(SEPARATOR)):
            at -= len(word)
            if word:
                tail = word + tail
                if len(tail) > most:
                    break
                if (
                    tail in short
                    or (len(tail) > SHORT and tail[:SHORT] in short and prefixes.goes_on(tail))
                    or (tail[:3] in heads and index.pinyin_may_become(tail))
                ) and (at or begins_word_at(text, start)):
                    least = at
            at -= 1
        return start + least

    def _after_characters(self, start: int, raw: str, letters: str) -> int | None:
        index = self._index
        if letters.islower() or letters[-index.pinyin_most :].islower():
            return None  # letters of an alphabet among them, which may be pinyin
        least = len(letters)
        if starts := index.prefixes.starts(letters):
            least = starts[-1]
        if letters[-1] in index.first_parts and (starts := before_last_part(index, letters)):
            least = min(least, starts[-1])
        if index.sounds:
            codes = letters.translate(self._codes)
            if index.sounds.find(codes):
                return None
            if starts := index.sound_prefixes.starts(codes):
                least = min(least, starts[-1])
        if least == len(letters):
            return start + len(raw)
        if min(letters[least:]) < FIRST_HAN:
            return None
        return start + _place(raw, len(letters) - least)


def _place(raw: str, count: int) -> int:
    """Of the letter with which the last ``count`` letters begin."""
    place = len(raw)
    for _ in range(count):
        place -= 1
        while raw[place] == SEPARATOR:
            place -= 1
    return place
