"""The end of a conversation that the model reads as it was."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from seekway.applications.records import Turn
from seekway.applications.runs.thoughts import without_thinking
from seekway.core.token_estimate import mixed_tokens
from seekway.core.types import Message

_FRAME: Final = 8.0
"""Tokens that a question and its answer take beside their texts."""


def spoken(turn: Turn) -> Turn:
    """As it is remembered: without what the model thought."""
    answer = without_thinking(turn.answer, turn.reasoning)
    return msgspec.structs.replace(turn, answer=answer, reasoning="")


def turn_tokens(turn: Turn) -> float:
    return _FRAME + mixed_tokens(turn.query) + mixed_tokens(turn.answer)


def window(turns: Sequence[Turn], tokens: float, most: int) -> list[Turn]:
    """The newest of ``turns`` that fit, the oldest first. Of one that alone is too long, what fits of its answer's end is kept."""
    kept: list[Turn] = []
    for turn in reversed(turns[-most:] if most > 0 else []):
        size = turn_tokens(turn)
        if size > tokens:
            if not kept and (cut := _shortened(turn, tokens)) is not None:
                kept.append(cut)
            break
        kept.append(turn)
        tokens -= size
    return kept[::-1]


def as_messages(turns: Sequence[Turn]) -> list[Message]:
    messages: list[Message] = []
    for turn in turns:
        if turn.query:
            messages.append(Message("user", turn.query))
        messages.append(Message("assistant", turn.answer))
    return messages


def as_text(turns: Sequence[Turn]) -> str:
    """For prompts that have the conversation in a place of its own."""
    return "\n".join(f"Human: {turn.query}\nAssistant: {turn.answer}" for turn in turns)


def _shortened(turn: Turn, tokens: float) -> Turn | None:
    left = tokens - _FRAME - mixed_tokens(turn.query)
    size = mixed_tokens(turn.answer)
    # One more is the mark, which is no letter of an alphabet and counts double.
    chars = int(len(turn.answer) * left / size) - 3 if size else 0
    if chars < 1:
        return None
    return msgspec.structs.replace(turn, answer="…" + turn.answer[-chars:])
