"""Word lists made ready: what is looked for in which reading of a text."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from operator import eq
from typing import Final

import msgspec

from seekway.pipeline.guardrails.normalise.characters import END, FIRST_HAN, characters, sounds, splits
from seekway.pipeline.guardrails.normalise.folded import letters_of
from seekway.pipeline.guardrails.words.automaton import AsciiAutomaton, Automaton, Prefixes
from seekway.pipeline.guardrails.words.word_list import Term, WordList

# What a key of the automaton over the letters stands for: the number of an entry, times four, and one of these.
TERM: Final = 0
ALLOWED: Final = 1
SQUEEZED: Final = 2
TRIGGER: Final = 3
RUN: Final = 3
"""Letters repeated as no ordinary word does."""
PAIR: Final = 7
"""Two characters that together may stand for one."""

RARELY_DOUBLED: Final = frozenset("ahijkquvxy")
LEET: Final[Mapping[str, str]] = {
    "0": "o",
    "1": "il",
    "3": "e",
    "4": "a",
    "5": "s",
    "7": "t",
    "8": "b",
    "@": "a",
    "$": "s",
    "!": "il",
    "|": "il",
}
_NO_BREAKS: Final[frozenset[int]] = frozenset()


class Entry(msgspec.Struct, frozen=True, gc=False):
    """A term or an allowed phrase: its letters, and before which of them it has a separator itself."""

    letters: str
    breaks: frozenset[int]
    term: Term | None
    is_han: bool


_AS_LEET: Final = bytes.maketrans(
    "".join([*LEET, "l"]).encode(), "".join([*[meant[0] for meant in LEET.values()], "i"]).encode()
)


def read_as_leet(letters: str) -> str:
    """One spelling for what digits and signs may stand for; ``l`` becomes ``i``, since ``1`` may be either."""
    if letters.isascii():
        return letters.encode().translate(_AS_LEET).decode()
    for sign, meant in LEET.items():
        letters = letters.replace(sign, meant[0])
    return letters.replace("l", "i")


def squeeze(letters: str) -> str:
    return "".join(letter for letter, _ in groupby(letters))


def has_doubles(letters: str) -> bool:
    return len(set(letters)) < len(letters) and any(map(eq, letters, letters[1:]))


def make_entries(lists: Sequence[WordList]) -> tuple[list[Entry], list[Entry]]:
    """Terms and allowed phrases, folded; those that fold to nothing are left out, since nothing could be found."""
    terms = [term for words in lists for term in words.terms]
    allowed = list(dict.fromkeys(phrase for words in lists for phrase in words.allow))
    entries = [
        Entry(letters, breaks, term, max(letters) >= FIRST_HAN)
        for (letters, breaks), term in zip(_folded([term.text for term in terms]), terms, strict=True)
        if letters
    ]
    phrases = [
        Entry(letters, breaks, None, max(letters) >= FIRST_HAN) for letters, breaks in _folded(allowed) if letters
    ]
    return entries, phrases


def _folded(texts: Sequence[str]) -> list[tuple[str, frozenset[int]]]:
    """All in one pass: translating fifty thousand short texts one by one takes six times as long."""
    if not texts:
        return []
    return [_entry(raw) for raw in characters().fold(END.join(texts)).split(END)]


def _entry(raw: str) -> tuple[str, frozenset[int]]:
    if raw.isalnum():
        return raw, _NO_BREAKS
    words = letters_of(raw.replace(" ", END)).split(END)
    breaks: set[int] = set()
    size = 0
    for word in words:
        breaks.add(size)
        size += len(word)
    return "".join(words), frozenset(breaks - {0, size})


class Index:
    """Everything that is looked for, by the reading of the text in which it is found."""

    def __init__(self, lists: Sequence[WordList]) -> None:
        terms, phrases = make_entries(lists)
        self.entries = terms + phrases
        self.first_phrase = len(terms)
        han = [(number, entry) for number, entry in enumerate(terms) if entry.is_han]
        latin = [(number, entry) for number, entry in enumerate(terms) if not entry.is_han]
        self.compose = _compositions(han)
        self.first_parts: dict[str, tuple[str, ...]] = {}
        for pair, character in self.compose.items():
            self.first_parts[pair[0]] = (*self.first_parts.get(pair[0], ()), character)
        self.most_composed = max([len(entry.letters) for _, entry in han if not _term(entry).exact], default=1)
        self._make_letters(terms, phrases, han)
        self._make_sounds(han)
        lettered = [
            (number, entry.letters)
            for number, entry in latin
            if len(entry.letters) >= 3 and entry.letters.isalpha() and not _term(entry).exact
        ]
        spelled = read_as_leet(END.join([letters for _, letters in lettered])).split(END)
        leet = _grouped(zip(spelled, [number for number, _ in lettered], strict=False))
        self.leet = Automaton(leet)
        self.leet_prefixes = Prefixes(leet)

    def _make_letters(self, terms: Sequence[Entry], phrases: Sequence[Entry], han: Iterable[tuple[int, Entry]]) -> None:
        keys = _grouped((entry.letters, number * 4 + TERM) for number, entry in enumerate(terms))
        squeezed: dict[str, tuple[int, ...]] = {}
        for number, entry in enumerate(phrases, self.first_phrase):
            _add(keys, entry.letters, number * 4 + ALLOWED)
        self.prefixes = Prefixes(keys)
        alphabetic: list[str] = []
        for number, entry in enumerate(terms):
            if has_doubles(entry.letters):
                _add(squeezed, squeeze(entry.letters), number * 4 + SQUEEZED)
            elif entry.letters[-1] < FIRST_HAN:
                alphabetic.append(entry.letters)
        self.squeezed_prefixes = Prefixes(squeezed, whole=[*squeezed, *alphabetic], beside=self.prefixes)
        for key, meaning in squeezed.items():
            keys[key] = keys.get(key, ()) + meaning
        for run in _runs(terms, han):
            _add(keys, run, RUN)
        for pair in self.compose:
            _add(keys, pair, PAIR)
        self.letters = Automaton(keys)
        self.most = max(self.prefixes.most, self.squeezed_prefixes.most)
        self.meanings = keys
        """What each key over the letters stands for."""

    def _make_sounds(self, han: Iterable[tuple[int, Entry]]) -> None:
        known = sounds()
        numbers = [
            number
            for number, entry in han
            if (term := entry.term) and not term.exact and len(entry.letters) >= (2 if term.homophones else 3)
        ]
        joined = END.join([self.entries[number].letters for number in numbers])
        spelled = joined.translate(known.spelled).split(END)
        read = [
            (number, code, pinyin)
            for number, code, pinyin in zip(numbers, joined.translate(known.codes).split(END), spelled, strict=False)
            if pinyin.isascii() and pinyin.isalpha()
        ]
        by_code = _grouped((code, number) for number, code, _ in read)
        by_pinyin = _grouped((pinyin, ~number) for number, _, pinyin in read)
        self.sounds = Automaton(by_code)
        self.sound_prefixes = Prefixes(by_code)
        self._make_alphabet(by_pinyin)
        self._pinyin_keys = sorted(by_pinyin)
        heads = {key[:3] for key in by_pinyin}
        self.pinyin_heads = heads | {head[:2] for head in heads} | {head[:1] for head in heads}
        self.most_characters = max((len(code) for code in by_code), default=0)
        self.pinyin_most = max(map(len, by_pinyin), default=0)

    def _make_alphabet(self, by_pinyin: dict[str, tuple[int, ...]]) -> None:
        """What letters of ASCII alone can be, as they are or in pinyin, whose numbers are inverted: one look costs half of two."""
        plain = {key: meaning for key, meaning in self.meanings.items() if key.isascii()}
        both = {key: plain[key] + by_pinyin[key] for key in plain.keys() & by_pinyin.keys()}
        self.alphabet = AsciiAutomaton(plain | by_pinyin | both)

    def pinyin_may_become(self, spelled: str) -> bool:
        """True where ``spelled`` is the beginning of a key in pinyin, and not all of it."""
        keys = self._pinyin_keys
        place = bisect_left(keys, spelled)
        if place < len(keys) and keys[place] == spelled:
            place += 1
        return place < len(keys) and keys[place].startswith(spelled)


def _term(entry: Entry) -> Term:
    if entry.term is None:
        raise AssertionError("an allowed phrase is no term")
    return entry.term


def _grouped(meanings: Iterable[tuple[str, int]]) -> dict[str, tuple[int, ...]]:
    keys: dict[str, tuple[int, ...]] = {}
    for key, meaning in meanings:
        keys[key] = (*keys[key], meaning) if key in keys else (meaning,)
    return keys


def _add(keys: dict[str, tuple[int, ...]], key: str, meaning: int) -> None:
    keys[key] = (*keys[key], meaning) if key in keys else (meaning,)


def _compositions(han: Iterable[tuple[int, Entry]]) -> dict[str, str]:
    """Pairs of components with the character that they make, for the characters that terms hold."""
    used = set("".join(entry.letters for _, entry in han if entry.term and not entry.term.exact))
    known = splits()
    return {pair: character for character in used for pair in known.get(character, ())}


def _runs(terms: Sequence[Entry], han: Iterable[tuple[int, Entry]]) -> set[str]:
    """What tells that a text repeats letters on purpose: two where that is rare, otherwise three.

    No term is read with letters repeated but holds one of these itself (``judge.squeezed_span``), so that what stands
    elsewhere in the text decides nothing. That takes three ``w`` too, common as they are in addresses.
    At its ends a Chinese term needs none: with more before or after it the term itself is still there.
    """
    inside = set("".join([entry.letters[1:-1] for _, entry in han]))
    runs = {letter * 2 for letter in inside if letter >= FIRST_HAN}
    for letter in set("".join([entry.letters for entry in terms])):
        if letter < FIRST_HAN and not letter.isdigit():
            runs.add(letter * (2 if letter in RARELY_DOUBLED else 3))
    return runs
