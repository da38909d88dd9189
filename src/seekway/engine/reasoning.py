"""Separates ``<think>…</think>`` from the answer while text streams in.

As DeepSeek's API does: neither part begins or ends its reasoning with white space of the tags, and the tags themselves are not shown.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, NamedTuple

from seekway.engine.markers import held_back

OPEN: Final = "<think>"
CLOSE: Final = "</think>"


class _State(Enum):
    UNDECIDED = 0
    THINKING = 1
    ANSWER_BEGINS = 2
    ANSWER = 3


class Split(NamedTuple):
    """What a delta brought; either may be empty."""

    reasoning: str = ""
    answer: str = ""


class ReasoningSplitter:
    """Feed deltas, get each part's deltas; any cutting of the same text gives the same two parts.

    ``opened`` says that the prompt already ends with ``<think>``.
    Otherwise the text is reasoning only if it begins with the tag, white space apart; a tag within an answer is text.
    ``expected`` False is for models and requests without thinking: the whole text is the answer.
    """

    def __init__(self, *, opened: bool = False, expected: bool = True) -> None:
        if opened:
            self._state = _State.THINKING
        else:
            self._state = _State.UNDECIDED if expected else _State.ANSWER_BEGINS
        self._held = ""
        self._reasoned = False

    @property
    def thinking(self) -> bool:
        return self._state is _State.THINKING

    @property
    def passing(self) -> bool:
        """True once all that comes is the answer, unchanged."""
        return self._state is _State.ANSWER

    def feed(self, text: str) -> Split:
        if self._state is _State.ANSWER:
            return Split("", text)
        text = self._held + text
        self._held = ""
        if self._state is _State.UNDECIDED:
            text = self._decide(text)
        reasoning = ""
        if self._state is _State.THINKING:
            reasoning, text = self._think(text)
        if self._state is _State.ANSWER_BEGINS:
            text = text.lstrip("\n\r ") if self._reasoned else text.lstrip("\n\r")
            if text:
                self._state = _State.ANSWER
        return Split(reasoning, text)

    def finish(self) -> Split:
        """What was held back, once no more text comes."""
        held, self._held = self._held, ""
        if self._state is _State.UNDECIDED:
            return Split("", held.lstrip("\n\r"))
        if self._state is _State.THINKING:
            return Split(held.rstrip() if self._reasoned else held.strip(), "")
        return Split()

    def _decide(self, text: str) -> str:
        begun = text.lstrip()
        if begun.startswith(OPEN):
            self._state = _State.THINKING
            return begun[len(OPEN) :]
        if OPEN.startswith(begun):
            self._held = text
            return ""
        self._state = _State.ANSWER_BEGINS
        return text

    def _think(self, text: str) -> tuple[str, str]:
        """Split at the closing tag; white space before it waits, since it belongs to the tag if the tag comes."""
        if not self._reasoned:
            text = text.lstrip()
        at = text.find(CLOSE)
        if at >= 0:
            self._state = _State.ANSWER_BEGINS
            self._reasoned = True
            return text[:at].rstrip(), text[at + len(CLOSE) :]
        keep = held_back(text, CLOSE)
        shown = text[: len(text) - keep].rstrip()
        self._held = text[len(shown) :]
        if shown:
            self._reasoned = True
        return shown, ""
