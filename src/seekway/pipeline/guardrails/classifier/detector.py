"""The classifier as a detector of whole texts."""

from __future__ import annotations

from functools import cache

from seekway.pipeline.guardrails.classifier.classifier import InjectionClassifier
from seekway.pipeline.guardrails.detector import Finding, Scan


class ClassifierDetector:
    """Finds at most one passage, under ``injection`` or ``jailbreak``; ``high`` where its score is nearer to 1 than to the threshold.

    ``untrusted`` for documents and results of tools; ``threshold`` 0: the model's own for the text's language.
    """

    name = "classifier"
    context_chars = 0
    needs_whole = True

    def __init__(self, classifier: InjectionClassifier, *, untrusted: bool, threshold: float) -> None:
        self._classifier = classifier
        self._untrusted = untrusted
        self._threshold = threshold

    def scan(self, text: str, start: int, *, final: bool) -> Scan:
        """What comes in pieces is not looked at."""
        if not final or start or not text.strip():
            return Scan((), len(text))
        score = self._classifier.score(text, untrusted=self._untrusted)
        threshold = self._threshold or self._classifier.threshold(score.language, untrusted=self._untrusted)
        if score.score < threshold or score.end <= score.start:
            return Scan((), len(text))
        severity = "high" if score.score >= (1.0 + threshold) / 2 else "medium"
        found = Finding(self.name, score.kind, severity, score.start, score.end, score.language, score.score)
        return Scan((found,), len(text))


@cache
def shipped_classifier() -> InjectionClassifier:
    """Its weights are read once a process; raises ``ModelFileError``."""
    return InjectionClassifier.load()
