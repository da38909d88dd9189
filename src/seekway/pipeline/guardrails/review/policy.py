"""A policy made ready: its detectors, and what it says to each kind of finding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import compress

from seekway.core.sections.guardrails import DETECTORS, Action, OnFailure, PartName
from seekway.observability.guardrail_figures import DetectorFigures
from seekway.pipeline.guardrails.detector import Detector, Finding
from seekway.pipeline.guardrails.format_check import FormatCheck
from seekway.pipeline.guardrails.review.verdict import CHANGING, Passage


class ActionTable:
    """The most exact entry holds: category before detector before ``*``, each with a severity before without; without any, ``flag``."""

    __slots__ = ("_entries", "_known", "_may_change")

    def __init__(self, entries: Mapping[str, Action]) -> None:
        self._entries = dict(entries)
        self._may_change: dict[str, bool] = {}
        self._known: dict[tuple[str, str, str], Action] = {}

    def of(self, finding: Finding) -> Action:
        key = (finding.detector, finding.category, finding.severity)
        known = self._known.get(key)
        if known is None:
            # Categories are a detector's own and few, so that what is remembered stays small.
            known = self._known[key] = self._look_up(*key)
        return known

    def may_change(self, detector: str) -> bool:
        """Whether a finding of ``detector`` may change a text; an entry under a category may be any detector's."""
        known = self._may_change.get(detector)
        if known is None:
            others = DETECTORS - {detector}
            known = self._may_change[detector] = any(
                action in CHANGING for key, action in self._entries.items() if key.partition("/")[0] not in others
            )
        return known

    def _look_up(self, detector: str, category: str, severity: str) -> Action:
        entries = self._entries
        for name in (category, detector, "*"):
            for key in (f"{name}/{severity}", name):
                if key in entries:
                    return entries[key]
        return "flag"


@dataclass(frozen=True, slots=True)
class Watch:
    """A detector with its figures; ``slow`` ones are asked off the event loop, whatever the text's length."""

    detector: Detector
    figures: DetectorFigures
    slow: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """What one kind of text goes through. ``digest`` tells policies and lists apart for the memory of verdicts.

    ``mask`` and ``sanitised`` stand in the place of a passage; ``{category}`` in them is its category.
    """

    policy: str
    name: PartName
    watches: tuple[Watch, ...]
    actions: ActionTable
    on_failure: OnFailure = "closed"
    digest: bytes = b""
    mask: str = "***"
    sanitised: str = "[removed]"
    leaked_words: int | None = None
    """None: nobody looks whether the system prompt leaks."""
    leakage: DetectorFigures = field(default_factory=lambda: DetectorFigures("leakage"))
    slow: bool = field(init=False)
    quick: Part = field(init=False)
    """Without the slow detectors: for texts to embed or to rank."""
    changing: tuple[Watch, ...] = field(init=False)
    """Those whose findings may change a text; ``noting`` are the others."""
    noting: tuple[Watch, ...] = field(init=False)

    def __post_init__(self) -> None:
        watches = self.watches
        slow = any(watch.slow for watch in watches)
        changing = [self.actions.may_change(watch.detector.name) for watch in watches]
        object.__setattr__(self, "changing", tuple(compress(watches, changing)))
        object.__setattr__(self, "noting", tuple(compress(watches, [not one for one in changing])))
        object.__setattr__(self, "slow", slow)
        quick = tuple(watch for watch in watches if not watch.slow)
        object.__setattr__(self, "quick", replace(self, watches=quick, digest=self.digest[::-1]) if slow else self)

    def stand_in(self, passage: Passage) -> str:
        text = self.sanitised if passage.action == "sanitise" else self.mask
        return text.replace("{category}", passage.category)


def masked(text: str, passages: Sequence[Passage], part: Part) -> str:
    """``text`` with a stand-in for each passage; from one that ends it on, nothing is left."""
    if not passages:
        return text
    pieces: list[str] = []
    at = 0
    for passage in passages:
        pieces.append(text[at : passage.start])
        if passage.action in ("replace", "block"):
            return "".join(pieces)
        pieces.append(part.stand_in(passage))
        at = passage.end
    pieces.append(text[at:])
    return "".join(pieces)


@dataclass(frozen=True, slots=True)
class Policy:
    """``digest`` is of everything it says, words of its lists included, as hexadecimal; a part that reviews nothing is None."""

    name: str
    version: str
    digest: str
    input: Part | None
    documents: Part | None
    output: Part | None
    reasoning: Part | None
    messages: Mapping[str, str]
    format: FormatCheck | None = None
    canary: bool = False
    reversible: bool = False

    def part(self, name: PartName) -> Part | None:
        match name:
            case "input":
                return self.input
            case "documents":
                return self.documents
            case "output":
                return self.output
            case "reasoning":
                return self.reasoning

    def message(self, text: str) -> str:
        """What a user who wrote ``text`` is told: in Chinese where it holds Chinese, else in English."""
        wanted = "zh" if any("\u4e00" <= c <= "\u9fff" for c in text[:2000]) else "en"
        found = self.messages.get(wanted) or self.messages.get("en")
        return found or next(iter(self.messages.values()))
