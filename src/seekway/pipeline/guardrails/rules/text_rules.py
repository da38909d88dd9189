"""What a text looks like: its length, how it is encoded, its language."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Collection, Mapping
from typing import Final

import msgspec

from seekway.core.errors import ConfigError
from seekway.pipeline.guardrails.detector import Finding, Severity
from seekway.pipeline.guardrails.language import detect

_NAME: Final = "text"
_JOINERS: Final = frozenset("\u200c\u200d")
_EMOJI_STYLE: Final = "\ufe0f"
_FILLERS: Final = frozenset("\u115f\u1160\u3164\uffa0\u034f\u2800")
"""Letters, marks and a symbol that show nothing."""
_FEW_INVISIBLE: Final = 8
_COUNTED_AT_ONCE: Final = 65_536
"""Characters, so that other threads may run in between."""
_SHOWN: Final = b"\t\n\r" + bytes(range(0x20, 0x7F))
_STRANGE: Final = frozenset(("Cc", "Cf", "Cn", "Co", "Cs", "Mn", "Me"))
_MOST_KNOWN: Final = 20_000
"""Characters that are remembered as ordinary: those of all the languages that are written much."""
_known_ordinary: set[str] = set()


class TextRules(msgspec.Struct, frozen=True):
    """A bound of 0 is none. ``max_control`` and ``max_invisible`` are shares of all characters.

    ``max_marks`` is how many combining marks may follow each other: Vietnamese, Thai and Hindi need three at most, "Zalgo" has dozens.
    ``allowed`` and ``denied`` are languages as :func:`seekway.pipeline.guardrails.language.detect` names them; ``zh`` is either script.
    A language counts as told from ``sure`` on; a text whose language cannot be told passes.
    """

    max_characters: int = 0
    max_bytes: int = 0
    surrogates: bool = True
    max_control: float = 0.05
    max_invisible: float = 0.2
    max_marks: int = 4
    allowed: tuple[str, ...] = ()
    denied: tuple[str, ...] = ()
    sure: float = 0.6

    def check(self, text: str) -> tuple[Finding, ...]:
        """The findings each say of the whole text, but for marks and surrogates, which have their place. Linear in its length."""
        findings = [*self._length(text)]
        if text:
            if not _ordinary(text):
                counts: Counter[str] = Counter()
                for at in range(0, len(text), _COUNTED_AT_ONCE):
                    counts.update(text[at : at + _COUNTED_AT_ONCE])
                findings += self._encoding(text, counts)
            findings += self._language(text)
        return tuple(findings)

    def _length(self, text: str) -> list[Finding]:
        findings: list[Finding] = []
        if self.max_characters and len(text) > self.max_characters:
            findings.append(_of_all(text, "length", "max_characters"))
        if self.max_bytes and len(text) * 4 > self.max_bytes:
            size = len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
            if size > self.max_bytes:
                findings.append(_of_all(text, "length", "max_bytes"))
        return findings

    def _encoding(self, text: str, counts: Mapping[str, int]) -> list[Finding]:
        findings: list[Finding] = []
        kinds = {character: unicodedata.category(character) for character in counts}
        control = sum(
            counts[character] for character, kind in kinds.items() if kind == "Cc" and character not in "\t\n\r"
        )
        if self.max_control and control > self.max_control * len(text):
            findings.append(_of_all(text, "encoding", "control_characters"))
        if text.isascii():
            return findings
        if self.surrogates and "Cs" in kinds.values():
            at = next(at for at, character in enumerate(text) if kinds[character] == "Cs")
            findings.append(Finding(_NAME, "encoding", "high", at, at + 1, "lone_surrogate"))
        invisible = _invisible(counts, kinds)
        if self.max_invisible and invisible >= _FEW_INVISIBLE and invisible > self.max_invisible * len(text):
            findings.append(_of_all(text, "encoding", "invisible_characters", "high"))
        marks = {character for character, kind in kinds.items() if kind in ("Mn", "Me") and not _is_selector(character)}
        if self.max_marks and marks and (run := _longest_run(text, marks, self.max_marks)):
            findings.append(Finding(_NAME, "encoding", "medium", *run, "combining_marks"))
        return findings

    def _language(self, text: str) -> list[Finding]:
        if not self.allowed and not self.denied:
            return []
        language, confidence = detect(text)
        if not language or confidence < self.sure:
            return []
        names = {language, language.partition("-")[0]}
        if self.allowed and not names.intersection(self.allowed):
            return [_of_all(text, "language", f"not_allowed:{language}")]
        return [_of_all(text, "language", f"denied:{language}")] if names.intersection(self.denied) else []


def check_rules(rules: TextRules) -> None:
    """Raises ``ConfigError`` for rules that contradict themselves."""
    if both := set(rules.allowed) & set(rules.denied):
        raise ConfigError(f"The language {sorted(both)[0]} is both allowed and denied.", param="denied")


def _ordinary(text: str) -> bool:
    """Whether every character is one of which :meth:`TextRules._encoding` has nothing to say, however often it comes."""
    if text.isascii():
        return not text.encode().translate(None, _SHOWN)
    if _known_ordinary.issuperset(text):
        return True
    new = set(text) - _known_ordinary
    strange = {character for character in new if _is_strange(character)}
    if len(_known_ordinary) < _MOST_KNOWN:
        _known_ordinary.update(new - strange)
    return not strange


def _is_strange(character: str) -> bool:
    """Control characters, what cannot be seen, marks, and what joins or fills."""
    if character in "\t\n\r":
        return False
    if character in _FILLERS or _is_selector(character):
        return True
    return unicodedata.category(character) in _STRANGE


def _of_all(text: str, category: str, rule: str, severity: Severity = "medium") -> Finding:
    return Finding(_NAME, category, severity, 0, len(text), rule)


def _invisible(counts: Mapping[str, int], kinds: Mapping[str, str]) -> int:
    """Characters that show nothing. Joiners count where there is little to join: emoji, and letters of scripts that need them."""
    joiners = hidden = joined = 0
    for character, count in counts.items():
        kind = kinds[character]
        if character in _JOINERS:
            joiners += count
        elif character == _EMOJI_STYLE:
            continue
        elif kind in ("Cf", "Cn", "Co") or character in _FILLERS or _is_selector(character):
            hidden += count
        elif kind == "So" or (kind == "Lo" and "\u0600" <= character <= "\u0dff"):
            joined += count
    return hidden + max(0, joiners - joined)


def _is_selector(character: str) -> bool:
    return "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef"


def _longest_run(text: str, marks: Collection[str], most: int) -> tuple[int, int] | None:
    """The first run of more than ``most`` of ``marks``."""
    run = 0
    for at, character in enumerate(text):
        if character in marks:
            run += 1
        elif run > most:
            return at - run, at
        else:
            run = 0
    return (len(text) - run, len(text)) if run > most else None
