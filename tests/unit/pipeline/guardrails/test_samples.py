"""The harmless texts that come with Seekway."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from seekway.pipeline.guardrails.evaluation import BENIGN, read_examples

ROOT = Path(__file__).parents[4]
SAMPLES = ROOT / "src/seekway/pipeline/guardrails/samples"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_there_are_many_harmless_texts_of_many_topics(language: str) -> None:
    path = SAMPLES / f"benign-{language}.jsonl"
    examples = read_examples(path.read_bytes().splitlines(), path.name)
    assert len(examples) >= 1500
    assert len({example.text for example in examples}) == len(examples)
    assert {example.label for example in examples} == {BENIGN}
    assert len({example.source for example in examples}) >= 18
    assert {example.part for example in examples} == {"input", "documents", "output"}


def test_the_files_are_what_the_script_makes() -> None:
    command = [sys.executable, str(ROOT / "scripts/make_guardrail_samples.py"), "--check"]
    assert subprocess.run(command, capture_output=True, text=True, check=False, timeout=60).stderr == ""
