"""Seekway's detectors as a contestant: ``python -m benchmarks.guardrails.ours NAME`` answers as the peers do."""

from __future__ import annotations

from typing import Final, Literal

EVERYTHING: Final = "all but the classifier"
CHUNK: Final = "all but the classifier, a chunk"
CLASSIFIER: Final = "classifier"
NAMES: Final[dict[str, Literal["words", "personal", "injections", "all"]]] = {}
