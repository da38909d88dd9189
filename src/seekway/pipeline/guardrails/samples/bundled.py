"""The harmless texts that come with Seekway, to measure false alarms with."""

from __future__ import annotations

from pathlib import Path


def benign_files() -> list[Path]:
    """JSON Lines as :func:`seekway.pipeline.guardrails.evaluation.read_examples` takes them, a file a language."""
    return sorted(Path(__file__).parent.glob("benign-*.jsonl"))
