"""A :class:`seekway.pipeline.guardrails.detector.Detector` that finds the words it is given, and fails when it is told to."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from seekway.core.sections.guardrails import DetectorName, PartName, PolicySettings
from seekway.pipeline.guardrails.detector import Finding, Scan, Severity
from seekway.pipeline.guardrails.guardrails import Made

Terms = Mapping[str, tuple[str, Severity]]


class FakeDetector:
    """``terms`` stand with category and severity; overlapping ones are all found. ``gate`` holds a scan up until it is set."""

    context_chars = 4
    needs_whole = False

    def __init__(self, terms: Terms, name: str = "words") -> None:
        self.terms = dict(terms)
        self.name = name
        self.broken = False
        self.gate: threading.Event | None = None
        self.scanned: list[str] = []

    def scan(self, text: str, start: int, *, final: bool) -> Scan:
        self.scanned.append(text[start:])
        if self.gate is not None:
            self.gate.wait(10)
        if self.broken:
            raise RuntimeError("what the user wrote: " + text)
        findings: list[Finding] = []
        safe = len(text)
        for at in range(start, len(text)):
            rest = text[at : at + 64]
            for term, (category, severity) in self.terms.items():
                if rest.startswith(term):
                    findings.append(Finding(self.name, category, severity, at, at + len(term), rule=term))
                elif not final and term.startswith(rest) and at < safe:
                    safe = at
        return Scan(findings, safe)


class FakeMaker:
    """A :class:`seekway.pipeline.guardrails.guardrails.MakeDetector`; each line of a word list is a term of the category ``listed``."""

    def __init__(self, terms: Terms | None = None, *, slow: bool = False) -> None:
        self.detector = FakeDetector(terms or {})
        self.slow = slow

    def __call__(self, name: DetectorName, policy: PolicySettings, part: PartName, lists: Sequence[Path]) -> Made:
        del name, policy, part
        if not lists:
            return Made(self.detector, repr(sorted(self.detector.terms.items())).encode(), self.slow)
        words = [line for path in lists for line in path.read_text("utf-8").split()]
        more = FakeDetector({**self.detector.terms, **dict.fromkeys(words, ("listed", "high"))})
        return Made(more, repr(sorted(more.terms.items())).encode(), self.slow)
