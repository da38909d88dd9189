"""Writes a term as people write it who want to get it past a filter, one way at a time.

It knows nothing of the normaliser: its tables were written for it alone, so that what the two do not share shows as a miss.
All chance comes from a hash of the term, so that every run disguises alike.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Mapping

from benchmarks.guardrails.written_out import HOMOPHONES, PINYIN, SPLIT, TRADITIONAL

Language = str
"""``en`` or ``zh``."""

_INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff\u00ad"
_SEPARATORS = (".", "-", "_", "*", "/", " ", "·", "~", "|", "。", ",")
_EMOJI = "😀🔥💊🎉👍✨🌸"
_MARKS = "\u0336\u0301\u0308\u0323\u035b"
_LOOKALIKES = {
    "a": "а", "b": "Ь", "c": "с", "e": "е", "h": "һ", "i": "і", "j": "ј", "k": "κ", "m": "м", "n": "ո", "o": "о",
    "p": "р", "s": "ѕ", "t": "τ", "u": "υ", "v": "ν", "w": "ԝ", "x": "х", "y": "у",
}  # fmt: skip
_LEET = {"a": "4@", "b": "8", "e": "3", "g": "9", "i": "1!", "l": "1", "o": "0", "s": "5$", "t": "7+", "z": "2"}
_STYLES = (0x1D41A, 0x1D44E, 0x1D4EA, 0x1D5BA, 0x1D68A, 0x24D0)
"""Where the small letters begin that Unicode has for mathematics, and those in circles."""


def disguise(term: str, kind: str) -> str | None:
    """``None`` where the kind does nothing to this term, or its tables do not know it."""
    changed = KINDS[kind](term, random.Random(hashlib.sha256(f"{kind}\n{term}".encode()).digest()))
    return None if changed == term and kind != "plain" else changed


def _full_width(term: str, _chance: random.Random) -> str:
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in term)


def _capitals(term: str, chance: random.Random) -> str:
    return "".join(c.upper() if chance.random() < 0.5 else c for c in term)


def _between(term: str, put: Callable[[], str]) -> str:
    """Something after every character but the last, and nothing beside a space."""
    parts: list[str] = []
    for here, following in zip(term, term[1:] + " ", strict=True):
        parts.append(here)
        if here != " " and following != " ":
            parts.append(put())
    return "".join(parts)


def _zero_width(term: str, chance: random.Random) -> str:
    return _between(term, lambda: chance.choice(_INVISIBLE))


def _separators(term: str, chance: random.Random) -> str:
    one = chance.choice(_SEPARATORS)
    return _between(term, lambda: one)


def _emoji(term: str, chance: random.Random) -> str:
    return _between(term, lambda: chance.choice(_EMOJI))


def _combining(term: str, chance: random.Random) -> str:
    return "".join(c if c == " " else c + chance.choice(_MARKS) for c in term)


def _repeats(term: str, chance: random.Random) -> str:
    """One letter three to five times: a vowel of a Latin word, where it has one."""
    places = [n for n, c in enumerate(term) if c in "aeiou"] or [n for n, c in enumerate(term) if c.isalpha()]
    if not places:
        return term
    place = chance.choice(places)
    return term[:place] + term[place] * chance.randint(3, 5) + term[place + 1 :]


def _entities(term: str, chance: random.Random) -> str:
    form = chance.choice(("&#{};", "&#x{:x};", "&#x{:X};"))
    return "".join(c if c == " " else form.format(ord(c)) for c in term)


def _replace(term: str, table: Mapping[str, str], chance: random.Random, share: float) -> str:
    """Some of the characters the table knows, one at least."""
    places = [n for n, c in enumerate(term) if c in table]
    if not places:
        return term
    chosen = {n for n in places if chance.random() < share} | {chance.choice(places)}
    return "".join(chance.choice(table[c]) if n in chosen else c for n, c in enumerate(term))


def _homoglyphs(term: str, chance: random.Random) -> str:
    return _replace(term, _LOOKALIKES, chance, 0.6)


def _leet(term: str, chance: random.Random) -> str:
    return _replace(term, _LEET, chance, 0.6)


def _styled(term: str, chance: random.Random) -> str:
    # Unicode has no italic h among the others; it stands elsewhere.
    style = chance.choice([start for start in _STYLES if start != 0x1D44E or "h" not in term])
    return "".join(chr(style + ord(c) - ord("a")) if "a" <= c <= "z" else c for c in term)


def _traditional(term: str, _chance: random.Random) -> str:
    return "".join(TRADITIONAL.get(c, c) for c in term)


def _pinyin(term: str, chance: random.Random) -> str:
    """As one word, or a syllable at a time."""
    syllables = PINYIN.get(term)
    return term if syllables is None else syllables.replace(" ", chance.choice(("", " ")))


def _homophones(term: str, _chance: random.Random) -> str:
    return HOMOPHONES.get(term, term)


def _split(term: str, _chance: random.Random) -> str:
    return "".join(SPLIT.get(c, c) for c in term)


def _two_at_once(term: str, chance: random.Random) -> str:
    """Signs between the characters, and other signs for them where there are any."""
    changed = _full_width(term, chance) if chance.random() < 0.5 else _homoglyphs(term, chance)
    changed = _traditional(changed, chance)
    return _between(changed, lambda: chance.choice(_INVISIBLE + "._*"))


KINDS: dict[str, Callable[[str, random.Random], str]] = {
    "plain": lambda term, _chance: term,
    "capitals": _capitals,
    "full width": _full_width,
    "styled letters": _styled,
    "traditional": _traditional,
    "zero width": _zero_width,
    "combining marks": _combining,
    "separators": _separators,
    "emoji between": _emoji,
    "repeats": _repeats,
    "HTML entities": _entities,
    "homoglyphs": _homoglyphs,
    "leet": _leet,
    "pinyin": _pinyin,
    "homophones": _homophones,
    "split characters": _split,
    "two at once": _two_at_once,
}
