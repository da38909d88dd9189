"""Finds the terms of word lists in texts, whole or as they arrive, through disguises."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from seekway.pipeline.guardrails.detector import Finding, Scan
from seekway.pipeline.guardrails.normalise.characters import INVISIBLE, SEPARATOR, characters
from seekway.pipeline.guardrails.normalise.entities import REFERENCE_CHARS, may_hold_references, open_reference
from seekway.pipeline.guardrails.normalise.folded import Folded, letters_of
from seekway.pipeline.guardrails.normalise.gaps import is_alphabetic
from seekway.pipeline.guardrails.words.entries import Index
from seekway.pipeline.guardrails.words.first_look import FirstLook
from seekway.pipeline.guardrails.words.judge import Verdict, phrase_chars
from seekway.pipeline.guardrails.words.pending import Tail
from seekway.pipeline.guardrails.words.readings import Match, Reading
from seekway.pipeline.guardrails.words.word_list import Term, WordList

_CONTEXT_CHARS: Final = 192  # four gaps, the letters between them, and a reference
_LETTERS_BEFORE: Final = 5  # whether something is a word of its own is told by no more of them
_STRETCH: Final = 24  # characters that hold so many letters in ordinary writing


class WordDetector:
    """Looks for all terms of ``lists``; immutable, and so for any number of threads.

    Every term is found, also within another one and beside one that it overlaps: whoever masks joins what touches.
    A finding's ``rule`` is the term as its list has it.
    """

    needs_whole = False

    def __init__(self, lists: Sequence[WordList]) -> None:
        self._index = Index(lists)
        self._first_look = FirstLook(self._index)
        entries = self._index.entries
        phrases = [phrase_chars(entry) for entry in entries[self._index.first_phrase :]]
        within = [entry.term.within for entry in entries if entry.term is not None and entry.term.within]
        self._phrase_chars = max(phrases, default=0)
        self._context_chars = (
            max(_CONTEXT_CHARS, *phrases, *within) + REFERENCE_CHARS
            if phrases or within
            else _CONTEXT_CHARS + REFERENCE_CHARS
        )
        self._unless = {word: _folded_word(word) for entry in entries if entry.term for word in entry.term.unless}

    @property
    def name(self) -> str:
        return "words"

    @property
    def context_chars(self) -> int:
        return self._context_chars

    def scan(self, text: str, start: int, *, final: bool) -> Scan:
        """Findings that begin at ``start`` or after it and before ``safe``."""
        if not final and (quiet := self._first_look.safe(text, start)) is not None:
            return Scan((), quiet)
        end = len(text) if final or ("&" not in text and "\\" not in text) else open_reference(text, start)
        offset = start
        if start and may_hold_references(text[max(0, start - REFERENCE_CHARS) : start]):
            offset = max(0, start - self._context_chars)
        folded = Folded(text[offset:end], is_cut=offset > 0)
        reading = Reading(self._index, folded, final=final)
        if reading.matches and offset == start and start:
            offset = self._offset(text, start, reading.matches)
            folded = Folded(text[offset:end], is_cut=offset > 0)
            reading = Reading(self._index, folded, final=final)
        safe = end if final else Tail(self._index, text, folded, offset, start).begin(reading)
        if not reading.matches:
            return Scan((), safe)
        return self._sorted_out(reading.matches, folded, offset, start, safe, final=final)

    def _offset(self, text: str, start: int, matches: Sequence[Match]) -> int:
        """Where that of the context begins that may change what ``matches`` are: mostly a few letters before where a phrase may begin."""
        least = max(0, start - self._context_chars)
        entries = self._index.entries
        reach = self._phrase_chars
        for match in matches:
            term = entries[match.number].term
            if term is not None and term.within > reach:
                reach = term.within
        inner = start - reach
        outer = inner - _STRETCH
        if outer <= least or "&" in text or "\\" in text:
            return least
        letters = letters_of(characters().fold(text[outer:inner]))
        return outer if len(letters) >= _LETTERS_BEFORE else least

    def _sorted_out(
        self, matches: Sequence[Match], folded: Folded, offset: int, start: int, safe: int, *, final: bool
    ) -> Scan:
        first_phrase = self._index.first_phrase
        phrases = [m.span for m in matches if m.number >= first_phrase and m.verdict is Verdict.YES]
        found: dict[tuple[int, int, str, str], Finding] = {}
        for match in matches:
            term = self._index.entries[match.number].term
            if term is None:
                continue
            span, verdict = match.span, match.verdict
            begin, end = span.original()
            if offset + begin < start:
                continue
            if verdict is Verdict.YES and any(
                p.begin <= span.begin and span.end <= p.end for p in phrases if p.folded is span.folded
            ):
                continue
            if verdict is Verdict.YES and term.unless:
                verdict = self._unless_near(term, folded.source, begin, end, final=final)
            if verdict is Verdict.OPEN:
                safe = min(safe, offset + begin)
            elif verdict is Verdict.YES:
                key = (offset + begin, offset + end, term.category, term.text)
                if key not in found or found[key].score < match.score:
                    found[key] = Finding(
                        self.name, term.category, term.severity, key[0], key[1], term.text, match.score
                    )
        findings = [finding for key, finding in sorted(found.items()) if key[0] < safe]
        return Scan(findings, safe)

    def _unless_near(self, term: Term, source: str, begin: int, end: int, *, final: bool) -> Verdict:
        """Whether none of the words that excuse the term stands near enough."""
        windows = [source[max(0, begin - term.within) : begin]]
        is_whole = final or end + term.within <= len(source)
        if is_whole:
            windows.append(source[end : end + term.within])
        for window in windows:
            raw = characters().fold(window).replace(INVISIBLE, "")
            if any(_stands_in(self._unless[word], raw) for word in term.unless):
                return Verdict.NO
        return Verdict.YES if is_whole else Verdict.OPEN


def _folded_word(word: str) -> str:
    return letters_of(characters().fold(word))


def _stands_in(word: str, raw: str) -> bool:
    """Chinese anywhere, with separators between; a word of an alphabet by itself."""
    if not word or not is_alphabetic(word[0]):
        return bool(word) and word in letters_of(raw)
    place = raw.find(word)
    while place >= 0:
        around = raw[max(0, place - 1) : place] + raw[place + len(word) : place + len(word) + 1]
        if all(letter == SEPARATOR or not is_alphabetic(letter) for letter in around):
            return True
        place = raw.find(word, place + 1)
    return False
