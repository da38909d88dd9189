"""From what a model says to what a reader sees: reasoning told apart, an application's own words kept in, thoughts shown as the definition wants."""

from __future__ import annotations

from typing import Literal

from seekway.applications.definition import Thoughts
from seekway.applications.events import AnswerDelta, AnswerReplaced, ReasoningDelta
from seekway.applications.runs.moderation import AppWords
from seekway.applications.runs.thoughts import AFTER, BEFORE, tagged
from seekway.engine.reasoning import ReasoningSplitter
from seekway.pipeline.guardrails.review.stream import TextReviewer

Shown = AnswerDelta | ReasoningDelta | AnswerReplaced
_Side = Literal["answer", "reasoning"]


class AnswerShape:
    """One answer on its way out; what it returns may be shown at once.

    ``replaced`` says that nothing more may follow: an application's word came, or the gateway withdrew the answer.
    ``answer`` and ``reasoning`` are what was shown, or with ``drop`` not shown, so far.
    """

    def __init__(self, thoughts: Thoughts, words: AppWords | None) -> None:
        self._thoughts = thoughts
        self._splitter = ReasoningSplitter()
        self._words = words
        # Each is a text of its own: with tags, one stands between them.
        self._reviewers: dict[_Side, TextReviewer | None] = {"answer": None, "reasoning": None}
        if words is not None:
            self._reviewers = {"answer": words.reviewer(), "reasoning": words.reviewer()}
        self._thinking = False
        self._said: list[str] = []
        self._thought: list[str] = []
        self._tag_open = False
        self._ended = False
        self.replaced = False
        self._instead = ""

    @property
    def answer(self) -> str:
        """As it is kept and as a whole answer shows it."""
        if self.replaced:
            return self._instead
        answer = "".join(self._said)
        return tagged(self.reasoning, answer) if self._thoughts == "tags" else answer

    @property
    def reasoning(self) -> str:
        return "" if self.replaced or self._thoughts == "drop" else "".join(self._thought)

    def text(self, text: str) -> list[Shown]:
        """The model's answer; ``<think>`` at its beginning is reasoning all the same."""
        if self.replaced:
            return []
        if self._splitter.passing:
            return self._say(text)
        split = self._splitter.feed(text)
        shown = self.thought(split.reasoning) if split.reasoning else []
        if split.answer and not self.replaced:
            shown += self._say(split.answer)
        return shown

    def thought(self, text: str) -> list[Shown]:
        if self.replaced:
            return []
        self._thinking = True
        return self._review("reasoning", text)

    def next_turn(self) -> list[Shown]:
        """An agent's model begins to speak anew: ``<think>`` may stand at the beginning again."""
        if self.replaced:
            return []
        split, self._splitter = self._splitter.finish(), ReasoningSplitter()
        shown = self.thought(split.reasoning) if split.reasoning else []
        return shown + self._say(split.answer) if split.answer and not self.replaced else shown

    def replace(self, text: str) -> list[Shown]:
        """The answer is withdrawn, and ``text`` stands in its place."""
        self.replaced, self._instead = True, text
        return [AnswerReplaced(text)]

    def end(self) -> list[Shown]:
        """What was held back. Nothing but :meth:`replace` may follow."""
        if self._ended or self.replaced:
            return []
        self._ended = True
        split = self._splitter.finish()
        shown = self._review("reasoning", split.reasoning, final=True)
        if not self.replaced:
            shown += self._review("answer", split.answer, final=True)
        if self._tag_open and not self.replaced:
            self._tag_open = False
            shown.append(AnswerDelta(AFTER))
        return shown

    def _say(self, text: str) -> list[Shown]:
        shown: list[Shown] = []
        if self._thinking:
            self._thinking = False
            shown = self._settle_thought()
        return shown if self.replaced else shown + self._review("answer", text)

    def _settle_thought(self) -> list[Shown]:
        """The reasoning is over for now: what is held of it comes before the answer. Where it goes on, it does so as the rest of the same text."""
        reviewer = self._reviewers["reasoning"]
        if reviewer is None or self._words is None:
            return []
        tail = reviewer.tail
        shown = self._review("reasoning", "", final=True)
        self._reviewers["reasoning"] = self._words.reviewer(tail)
        return shown

    def _review(self, side: _Side, text: str, *, final: bool = False) -> list[Shown]:
        reviewer = self._reviewers[side]
        if reviewer is not None:
            released = reviewer.feed(text, final=final)
            if released.ending is not None:
                return self.replace("" if self._words is None else self._words.output_answer or "")
            text = released.text
        if not text:
            return []
        return self._show_answer(text) if side == "answer" else self._show_thought(text)

    def _show_answer(self, text: str) -> list[Shown]:
        self._said.append(text)
        if self._tag_open:
            self._tag_open = False
            return [AnswerDelta(AFTER + text)]
        return [AnswerDelta(text)]

    def _show_thought(self, text: str) -> list[Shown]:
        if self._thoughts == "drop":
            return []
        if self._thoughts == "separate":
            self._thought.append(text)
            return [ReasoningDelta(text)]
        if self._said:
            # Behind the answer's beginning, as an agent thinks between its steps, it would stand in the middle of it.
            return []
        begun = bool(self._thought)
        self._thought.append(text)
        self._tag_open = True
        return [AnswerDelta(text if begun else BEFORE + text)]
