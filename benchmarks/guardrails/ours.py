"""Seekway's detectors as a contestant: ``python -m benchmarks.guardrails.ours NAME`` answers as the peers do."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Final, Literal

from benchmarks.guardrails.peers.serve import serve
from seekway.pipeline.guardrails.detector import Detector
from seekway.pipeline.guardrails.lists.shipped import shipped_lists
from seekway.pipeline.guardrails.pii.detector import PiiDetector
from seekway.pipeline.guardrails.rules.attack_patterns import ATTACK_PATTERNS
from seekway.pipeline.guardrails.rules.pattern_detector import PatternDetector
from seekway.pipeline.guardrails.secrets.detector import SecretDetector
from seekway.pipeline.guardrails.words.word_detector import WordDetector
from seekway.pipeline.guardrails.words.word_list import Term, WordList

EVERYTHING: Final = "all but the classifier"
CHUNK: Final = "all but the classifier, a chunk"
CLASSIFIER: Final = "classifier"
CHUNK_CHARS: Final = 4
"""About a token."""


def word_detector(words: Sequence[str]) -> Detector:
    """The shipped lists as they are, and what ``words`` holds beside their terms."""
    shipped = shipped_lists()
    known = {term.text for one in shipped for term in one.terms}
    more = tuple(Term(word, "made-up", "high") for word in words if word not in known)
    return WordDetector([*shipped, WordList("made-up", more)])


def _patterns(_: Sequence[str]) -> Detector:
    return PatternDetector(ATTACK_PATTERNS)


def _personal(_: Sequence[str]) -> Detector:
    return PiiDetector()


def _secrets(_: Sequence[str]) -> Detector:
    return SecretDetector()


def _classifier(_: Sequence[str]) -> Detector:
    # NumPy and the weights are read only where the classifier is measured.
    from seekway.pipeline.guardrails.classifier.detector import ClassifierDetector, shipped_classifier

    return ClassifierDetector(shipped_classifier(), untrusted=False, threshold=0.0)


PARTS: Final[
    dict[str, tuple[Literal["words", "personal", "secrets", "injections"], Callable[[Sequence[str]], Detector]]]
] = {
    "words": ("words", word_detector),
    "pii": ("personal", _personal),
    "secrets": ("secrets", _secrets),
    "patterns": ("injections", _patterns),
    CLASSIFIER: ("injections", _classifier),
}
"""What looks for what; the classifier apart, which has a budget of its own."""

NAMES: Final[dict[str, Literal["words", "personal", "secrets", "injections", "all"]]] = {
    **{name: looks for name, (looks, _) in PARTS.items()},
    EVERYTHING: "all",
    CHUNK: "all",
}


class Whole:
    """All detectors over a whole text; what is only flagged by default is not told."""

    version = version("seekway")

    def __init__(self, name: str) -> None:
        wanted = [part for part in PARTS if part != CLASSIFIER] if name == EVERYTHING else [name]
        self._makers = [PARTS[part][1] for part in wanted]
        self._detectors: list[Detector] = []

    def load(self, words: Sequence[str]) -> None:
        self._detectors = [make(words) for make in self._makers]

    def scan(self, text: str) -> list[str]:
        return [
            one.category
            for detector in self._detectors
            for one in detector.scan(text, 0, final=True).findings
            if one.severity != "low"
        ]


class Chunks(Whole):
    """Each scan takes the next characters of a stream of the text, again from its beginning when it has ended."""

    def __init__(self) -> None:
        super().__init__(EVERYTHING)
        self._at = self._safe = 0

    def scan(self, text: str) -> list[str]:
        """As the review of streams does: context and what is held back go to every detector, and the least ``safe`` counts."""
        self._at = min(self._at + CHUNK_CHARS, len(text))
        final = self._at == len(text)
        context = max(detector.context_chars for detector in self._detectors)
        begin = max(0, self._safe - context)
        window, start = text[begin : self._at], self._safe - begin
        found: list[str] = []
        safe = len(window)
        for detector in self._detectors:
            findings, settled = detector.scan(window, start, final=final)
            found += [one.category for one in findings]
            safe = min(safe, settled)
        self._safe = begin + max(safe, start)
        if final:
            self._at = self._safe = 0
        return found


def main() -> None:
    name = sys.argv[1]
    serve(Chunks if name == CHUNK else lambda: Whole(name))


if __name__ == "__main__":
    main()
