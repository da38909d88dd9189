"""The passages and questions that come with Seekway.

The passages are the sections of ``examples/customer-service/handbook``, cut by ``scripts/make_knowledge_samples.py``; the questions name them by their ids.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Final, Literal

import msgspec

from seekway.knowledge.evaluation import Question, read_questions
from seekway.knowledge.passage import Passage

SAMPLE_PASSAGES: Final = "passages.jsonl"
SAMPLE_QUESTIONS: Final = "questions.jsonl"


class SamplePassage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A document of one passage. ``title`` has all titles above it, `` / `` between; ``text`` begins with its own."""

    id: str
    title: str
    text: str
    language: Literal["en", "zh"]

    @property
    def passage(self) -> Passage:
        return Passage(1, self.text, 0, len(self.text), heading=self.title)


def sample_passages() -> list[SamplePassage]:
    return [msgspec.json.decode(line, type=SamplePassage) for line in _read(SAMPLE_PASSAGES).splitlines() if line]


def sample_questions() -> list[Question]:
    return read_questions(_read(SAMPLE_QUESTIONS), SAMPLE_QUESTIONS)


def _read(name: str) -> str:
    return files("seekway.knowledge.samples").joinpath(name).read_text(encoding="utf-8")
