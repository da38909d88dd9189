"""What looks through a text, whole or as it arrives, and what it found there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol

import msgspec

Severity = Literal["low", "medium", "high"]


class Finding(msgspec.Struct, frozen=True):
    """Characters ``start`` up to ``end`` of the text that was scanned, as it came, before any normalising.

    ``detector`` found it; ``category`` is what policies speak of (``phone``, ``violence``); ``rule`` names the entry or recogniser for whoever asks why, and never holds the found text where that is personal or secret.
    ``score`` is how sure the detector is, from 0 to 1.
    """

    detector: str
    category: str
    severity: Severity
    start: int
    end: int
    rule: str = ""
    score: float = 1.0


class Scan(NamedTuple):
    """``findings`` in order of their start; before ``safe``, nothing that is not among them can still be found, whatever comes."""

    findings: Sequence[Finding]
    safe: int


class Detector(Protocol):
    """Looks through a text; the same one serves whole texts and streams, from several threads at once.

    For a stream, ``text`` is the end of what was passed on already (``context``, at most :attr:`context_chars` characters, for what a word stands beside) and then what is held back, which begins at ``start``.
    ``final`` says that nothing follows. A whole text is ``scan(text, 0, final=True)``.

    Two promises, which tests prove over every way to cut a text:
    - no finding begins before the ``safe`` of an earlier scan of the same stream, unless that scan had it;
    - the findings of a stream, taken together, are those of the whole text.

    So ``safe`` is the start of the longest suffix that may still become a finding or change one; ``len(text)`` when ``final``.
    What may be found has a greatest length, so that ``len(text) - safe`` has one too, whatever the text.
    Time is linear in the text's length.
    """

    @property
    def name(self) -> str: ...

    @property
    def context_chars(self) -> int: ...

    @property
    def needs_whole(self) -> bool:
        """Whether it can say something only of a text that it has from the beginning to the end."""
        ...

    def scan(self, text: str, start: int, *, final: bool) -> Scan: ...
