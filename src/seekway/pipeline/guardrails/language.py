"""Which language a text is in, offline and within some 40 µs for 1 KB.

The script tells most of it: letters are counted by script. Languages that share one are told apart by their own letters and,
in the Latin script, by frequent words and endings (:mod:`seekway.pipeline.guardrails.language_words`).
Short texts without a frequent word, names and lists stay unknown: no answer is better than a wrong one, which a deny list would act on.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Final, NamedTuple

from seekway.pipeline.guardrails.language_words import ENDINGS, JAPANESE, LETTERS, SIMPLIFIED, TRADITIONAL, WORDS

_SAMPLE: Final = 400
_MOST_WORDS: Final = 48
_MOST_WORDS_CUT_UP: Final = 16
_LONGEST_ENDING: Final = 6
_WORD, _ENDING, _LETTER, _TRIGRAM = 1.0, 0.25, 0.5, 0.2
_ENOUGH, _ENOUGH_A_WORD, _APART = 0.2, 0.08, 0.2
_BY_TRIGRAMS: Final = 0.5
"""How sure a guess is that no whole word bears out."""

_KANA_SHARE: Final = 0.08
_EAST_ASIAN_SHARE: Final = 0.4
"""Chinese and Japanese texts name programs, brands and people in Latin letters; the other way round is rare."""
_PUNCTUATION: Final = ".,;:!?\"'()[]{}<>*#-–—…«»„“”‚‘’/\\|0123456789"


class Detected(NamedTuple):
    """``language`` is BCP 47: ``en``, ``zh-Hans``, ``zh-Hant`` …; empty where it cannot be told. ``confidence`` is from 0 to 1."""

    language: str
    confidence: float


UNKNOWN: Final = Detected("", 0.0)

# Blocks of Unicode 17 by their first code point, each up to the next; a character of a denser script weighs as many Latin letters.
_BLOCKS: Final = (
    (0x0000, ""), (0x0041, "latin"), (0x005B, ""), (0x0061, "latin"), (0x007B, ""), (0x00C0, "latin"), (0x00D7, ""),
    (0x00D8, "latin"), (0x02B0, ""), (0x0370, "greek"), (0x0400, "cyrillic"), (0x0530, "armenian"), (0x0590, "hebrew"),
    (0x0600, "arabic"), (0x0700, ""), (0x0750, "arabic"), (0x0780, ""), (0x0900, "devanagari"), (0x0980, "bengali"),
    (0x0A00, ""), (0x0B80, "tamil"), (0x0C00, "telugu"), (0x0C80, ""), (0x0E00, "thai"), (0x0E80, ""), (0x10A0, "georgian"),
    (0x1100, "hangul"), (0x1200, ""), (0x1E00, "latin"), (0x1F00, "greek"), (0x2000, ""), (0x3040, "kana"), (0x3100, ""),
    (0x3130, "hangul"), (0x3190, ""), (0x31F0, "kana"), (0x3200, ""), (0x3400, "han"), (0x4DC0, ""), (0x4E00, "han"),
    (0xA000, ""), (0xAC00, "hangul"), (0xD7B0, ""), (0xF900, "han"), (0xFB00, ""), (0xFB50, "arabic"), (0xFE00, ""),
    (0xFE70, "arabic"), (0xFF00, ""), (0xFF21, "latin"), (0xFF3B, ""), (0xFF41, "latin"), (0xFF5B, ""), (0xFF66, "kana"),
    (0xFFA0, ""), (0x20000, "han"), (0x323B0, ""),
)  # fmt: skip
_STARTS: Final = [start for start, _ in _BLOCKS]
_EAST_ASIAN: Final = ("han", "kana")
_WEIGHTS: Final = {"han": 3.0, "kana": 2.0, "hangul": 2.5}
_ALONE: Final = {
    "greek": "el", "armenian": "hy", "hebrew": "he", "bengali": "bn", "tamil": "ta", "telugu": "te", "thai": "th",
    "georgian": "ka", "hangul": "ko",
}  # fmt: skip
_OF_SCRIPT: Final = {
    "cyrillic": ("ru", (("uk", "іїєґ"), ("be", "ў"), ("sr", "ђјљњћџ"), ("kk", "әғқңөұүһ"))),
    "arabic": ("ar", (("ur", "ٹڈڑںے"), ("fa", "پچژگی"))),
    "devanagari": ("hi", (("mr", "ळ"),)),
}


def detect(text: str) -> Detected:
    """By the first 400 characters."""
    counts = Counter(text[:_SAMPLE])
    scripts: dict[str, float] = {}
    for character, count in counts.items():
        script = _script(character)
        if script:
            scripts[script] = scripts.get(script, 0.0) + count * _WEIGHTS.get(script, 1.0)
    if not scripts:
        return UNKNOWN
    total = sum(scripts.values())
    east_asian = scripts.get("han", 0.0) + scripts.get("kana", 0.0)
    script, weight = max(scripts.items(), key=lambda item: item[1])
    if east_asian >= _EAST_ASIAN_SHARE * total or script in _EAST_ASIAN:
        return Detected(_east_asian(counts, scripts.get("kana", 0.0), east_asian), round(east_asian / total, 3))
    share = weight / total
    if script == "latin":
        found = _latin(text[:_SAMPLE].lower(), counts)
        return Detected(found.language, round(found.confidence * share, 3))
    if script in _ALONE:
        return Detected(_ALONE[script], round(share, 3))
    plain, others = _OF_SCRIPT[script]
    for language, letters in others:
        if sum(counts.get(letter, 0) for letter in letters) * 50 > weight:
            return Detected(language, round(share, 3))
    return Detected(plain, round(share, 3))


@lru_cache(maxsize=8192)
def _script(character: str) -> str:
    return _BLOCKS[bisect_right(_STARTS, ord(character)) - 1][1]


def _east_asian(counts: Mapping[str, int], kana: float, both: float) -> str:
    if kana / both >= _KANA_SHARE:
        return "ja"
    marks = _tables().characters
    votes = {"s": 0, "t": 0, "j": 0}
    for character, count in counts.items():
        mark = marks.get(character)
        if mark is not None:
            votes[mark] += count
    if votes["j"] > votes["s"] and votes["j"] > votes["t"]:
        return "ja"
    return "zh-Hant" if votes["t"] > votes["s"] else "zh-Hans"


def _latin(text: str, counts: Mapping[str, int]) -> Detected:
    tables = _tables()
    scores: dict[str, float] = {}
    words = [word.strip(_PUNCTUATION) for word in text.replace("’", "'").split(None, _MOST_WORDS)[:_MOST_WORDS]]
    counted = 0
    for word in words:
        if not word:
            continue
        counted += 1
        known = tables.words.get(word)
        if known is None:
            known = tables.ending(word)
        for language, weight in known:
            scores[language] = scores.get(language, 0.0) + weight
    if not text.isascii():
        for character, count in counts.items():
            for language, weight in tables.letters.get(character.lower(), ()):
                scores[language] = scores.get(language, 0.0) + weight * min(count, 5)
    best, second = _two_best(scores)
    certainty = 1.0
    if best < _ENOUGH + _ENOUGH_A_WORD * counted or best - second < _APART * best:
        certainty = _BY_TRIGRAMS
        for word in words[:_MOST_WORDS_CUT_UP]:
            for at in range(len(word) - 2):
                for language, weight in tables.trigrams.get(word[at : at + 3], ()):
                    scores[language] = scores.get(language, 0.0) + weight
        best, second = _two_best(scores)
        # One hint in a long text, or as many for another language, is no answer.
        if best < _ENOUGH + _ENOUGH_A_WORD * counted or best - second < _APART * best / 4:
            return UNKNOWN
    language = max(scores, key=scores.__getitem__)
    return Detected(language, min(1.0, (best - second) / best + 0.1) * min(1.0, best / 1.5 + 0.2) * certainty)


def _two_best(scores: Mapping[str, float]) -> tuple[float, float]:
    best, second = sorted((*scores.values(), 0.0, 0.0), reverse=True)[:2]
    return best, second


Known = tuple[tuple[str, float], ...]


class _Tables(NamedTuple):
    words: Mapping[str, Known]
    endings: Mapping[str, Known]
    letters: Mapping[str, Known]
    trigrams: Mapping[str, Known]
    """Of the frequent words: asked only where words, endings and letters do not tell."""
    characters: Mapping[str, str]

    def ending(self, word: str) -> Known:
        """The longest known ending's; nothing for words too short to have one."""
        for length in range(min(_LONGEST_ENDING, len(word) - 2), 1, -1):
            known = self.endings.get(word[-length:])
            if known is not None:
                return known
        return ()


@cache
def _tables() -> _Tables:
    """A hint that several languages share weighs the less."""
    characters = dict.fromkeys(JAPANESE, "j")
    simplified, traditional = set(SIMPLIFIED), set(TRADITIONAL)
    characters |= dict.fromkeys(simplified - traditional, "s") | dict.fromkeys(traditional - simplified, "t")
    return _Tables(
        _shared({language: words.split() for language, words in WORDS.items()}, _WORD),
        _shared({language: endings.split() for language, endings in ENDINGS.items()}, _ENDING),
        _shared(LETTERS, _LETTER),
        _shared({language: _trigrams(words) for language, words in WORDS.items()}, _TRIGRAM),
        characters,
    )


def _trigrams(words: str) -> list[str]:
    return [word[at : at + 3] for word in words.split() for at in range(len(word) - 2)]


def _shared(hints: Mapping[str, str | list[str]], weight: float) -> dict[str, Known]:
    languages: dict[str, set[str]] = {}
    for language, own in hints.items():
        for hint in own:
            languages.setdefault(hint, set()).add(language)
    return {
        hint: tuple((language, weight / len(known) ** 1.5) for language in sorted(known))
        for hint, known in languages.items()
    }
