"""What a run of an application emits, in order: pieces, then :class:`Ended`; a run that fails raises a ``SeekwayError`` in its place."""

from __future__ import annotations

import msgspec

from seekway.applications.records import Message, MessageFile, Thought


class Began(msgspec.Struct, frozen=True):
    """First of all. ``conversation`` is empty for completion applications; ``task`` is what :meth:`Applications.stop` takes."""

    task: str
    message: str
    conversation: str
    created_at: int


class AnswerDelta(msgspec.Struct, frozen=True):
    text: str


class ReasoningDelta(msgspec.Struct, frozen=True):
    """Only where the definition's ``thoughts`` are ``separate``."""

    text: str


class ThoughtChanged(msgspec.Struct, frozen=True):
    """An agent's step as it is now; it comes again under the same id as it fills."""

    thought: Thought


class FileGiven(msgspec.Struct, frozen=True):
    """A file that a tool made."""

    file: MessageFile


class AnswerReplaced(msgspec.Struct, frozen=True):
    """``text`` takes the place of the answer so far: the output was moderated."""

    text: str


class Ended(msgspec.Struct, frozen=True):
    """The message as it was kept: it is on disk."""

    message: Message


AppEvent = Began | AnswerDelta | ReasoningDelta | ThoughtChanged | FileGiven | AnswerReplaced | Ended
