"""An application's own words: what a user may not write, and what nobody may read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from seekway.applications.definition import Moderation
from seekway.observability.guardrail_figures import DetectorFigures
from seekway.pipeline.guardrails.detector import Finding, Scan
from seekway.pipeline.guardrails.review.batch import findings_of
from seekway.pipeline.guardrails.review.policy import ActionTable, Part, Watch
from seekway.pipeline.guardrails.review.stream import Tail, TextReviewer
from seekway.pipeline.guardrails.review.verdict import Judged
from seekway.pipeline.guardrails.words.automaton import Automaton, Prefixes
from seekway.pipeline.guardrails.words.word_detector import WordDetector
from seekway.pipeline.guardrails.words.word_list import TERM_CHARS, Term, WordList

_CATEGORY: Final = "application"


class KeywordDetector:
    """Finds keywords anywhere in a text, also within a word, in any letter case: what Dify's keyword moderation finds."""

    needs_whole = False
    name = "keywords"
    context_chars = 0

    def __init__(self, keywords: Sequence[str]) -> None:
        keys = list(dict.fromkeys(_small(word) for word in keywords))
        self._automaton = Automaton({key: (at,) for at, key in enumerate(keys)})
        self._prefixes = Prefixes(keys)
        self._longest = max(map(len, keys), default=0)

    def scan(self, text: str, start: int, *, final: bool) -> Scan:
        small = _small(text[start:])
        findings = [
            Finding(self.name, _CATEGORY, "high", start + begin, start + end)
            for _, begin, end in sorted(self._automaton.find(small), key=lambda one: (one[1], one[2]))
        ]
        if final:
            return Scan(findings, len(text))
        open_at = self._prefixes.starts(small[-self._longest :])
        safe = len(text) if not open_at else max(start, len(text) - self._longest) + open_at[-1]
        return Scan([one for one in findings if one.start < safe], safe)


class AppWords:
    """A definition's moderation made ready; immutable."""

    def __init__(self, moderation: Moderation) -> None:
        self.input_answer = moderation.input_answer
        self.output_answer = moderation.output_answer
        keywords = [word for word in dict.fromkeys(map(str.strip, moderation.keywords)) if word]
        watches: list[Watch] = []
        if keywords:
            watches.append(_watch(KeywordDetector(keywords)))
        # Full width, traditional characters and invisible ones beside; only as the words are written, for they are not ours to interpret.
        plain = [word for word in keywords if _is_term(word)]
        if plain:
            terms = tuple(Term(word, _CATEGORY, "high", exact=True) for word in plain)
            watches.append(_watch(WordDetector((WordList(_CATEGORY, terms),))))
        self._part = Part("application", "output", tuple(watches), ActionTable({"*": "replace"}))

    def forbids(self, texts: Iterable[str]) -> bool:
        """Whether a user's texts hold a keyword, where the input is looked at."""
        return self.input_answer is not None and any(map(self._found_in, texts))

    def hides(self, text: str) -> bool:
        """Whether a text beside the answer must not be read, where the output is looked at."""
        return self.output_answer is not None and self._found_in(text)

    def reviewer(self, tail: Tail | None = None) -> TextReviewer | None:
        """For one text of an answer, which goes on behind ``tail``; None where the output is not looked at."""
        if self.output_answer is None or not self._part.watches:
            return None
        return TextReviewer(self._part, _heard, _failed, tail=tail)

    def _found_in(self, text: str) -> bool:
        return bool(text) and any(findings_of(watch.detector, text) for watch in self._part.watches)


def _watch(detector: KeywordDetector | WordDetector) -> Watch:
    return Watch(detector, DetectorFigures(detector.name))


def _is_term(word: str) -> bool:
    """The detector reads letters and digits alone: a word with signs in it would be found where they are missing."""
    letters = "".join(word.split())
    return len(word) <= TERM_CHARS and letters.isalnum() and not (len(letters) == 1 and letters.isascii())


def _small(text: str) -> str:
    """In small letters, with as many characters."""
    small = text.lower()
    return small if len(small) == len(text) else "".join(s if len(s := c.lower()) == 1 else c for c in text)


def _heard(part: Part, judged: Sequence[Judged]) -> None:
    """Nothing is counted: these are the application's own."""


def _failed(part: Part, detector: str, error: Exception) -> None:
    """The reviewer refuses the text."""
