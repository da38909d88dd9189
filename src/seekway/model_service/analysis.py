"""What ``Analyze`` is asked and what it answers."""

from __future__ import annotations

from typing import Literal

import msgspec

from seekway.core.types import Usage

Sentiment = Literal["positive", "neutral", "negative"]


class AnalyzeText(msgspec.Struct, frozen=True):
    """A text to read. ``id`` is the caller's; an empty ``model`` is the default one; empty ``labels`` leaves them to the model."""

    id: str
    text: str
    model: str = ""
    labels: tuple[str, ...] = ()
    deadline_s: float | None = None


class Analysis(msgspec.Struct, frozen=True):
    """``labels`` are among those asked for, if any were; ``model`` is the one that answered."""

    id: str
    summary: str
    key_points: tuple[str, ...]
    sentiment: Sentiment
    labels: tuple[str, ...]
    model: str
    usage: Usage


class AnalysisFailed(msgspec.Struct, frozen=True):
    """One text of a stream that could not be analysed; ``code`` as in :mod:`seekway.core.errors`."""

    id: str
    code: str
    message: str
    param: str | None = None
