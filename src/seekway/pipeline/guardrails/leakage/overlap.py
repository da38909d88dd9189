"""Finds long runs of the system prompt in an answer, word by word."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Final, NamedTuple

from seekway.pipeline.guardrails.detector import Finding, Scan

_WORD_WEIGHT, _SIGN_WEIGHT = 10, 3
"""Twelve words weigh as much as forty signs of a script that has no spaces."""
_MOST_BETWEEN: Final = 8
_LONGEST_WORD: Final = 64


class Token(NamedTuple):
    """``joined`` False begins a new run: what stands before is too far away, or no whole word."""

    text: str
    start: int
    end: int
    weight: int
    joined: bool


class Prompt(NamedTuple):
    """``runs`` are the hashes of all runs that count; ``words`` the whole, with a space before and after each token."""

    runs: frozenset[int]
    words: str


class OverlapDetector:
    """Finds each run of at least ``min_words`` words of ``prompt``, or of as many signs of Chinese or Japanese in the ratio 12 to 40.

    Case, and up to 8 characters of space or punctuation between words, make no difference. A longer run is found as many runs that overlap.
    A prompt with fewer words than that has no run, and nothing of it is found.
    """

    name = "leakage"
    context_chars = 1

    def __init__(self, prompt: str, *, min_words: int = 12) -> None:
        self._least = min_words * _WORD_WEIGHT
        self._prompt = _read(prompt, self._least)

    def scan(self, text: str, start: int, *, final: bool) -> Scan:
        if not self._prompt.runs:
            return Scan((), len(text))
        tokens = list(_tokens(text, start))
        # The last word may go on.
        whole = (
            len(tokens) if final or not tokens or tokens[-1].end < len(text) or _is_sign(text[-1]) else len(tokens) - 1
        )
        findings = [
            Finding(self.name, "prompt_leak", "high", tokens[first].start, tokens[last].end, "overlap")
            for first, last in _runs(tokens[:whole], self._least)
            if hash(_joined(tokens[first : last + 1])) in self._prompt.runs
        ]
        return Scan(findings, len(text) if final else self._safe(text, tokens))

    def _safe(self, text: str, tokens: list[Token]) -> int:
        if not tokens or len(text) - tokens[-1].end > _MOST_BETWEEN:
            return len(text)
        first = len(tokens) - 1
        # The last word may not be whole, so that a run before it is not known to be none either.
        weight = 0
        while first and tokens[first].joined and weight < self._least:
            first -= 1
            weight += tokens[first].weight
        for at in range(first, len(tokens)):
            if " " + _joined(tokens[at:]) in self._prompt.words:
                return tokens[at].start
        # A word that the prompt does not have may still grow into one that does not matter either.
        return len(text)


@lru_cache(maxsize=256)
def _read(prompt: str, least: int) -> Prompt:
    tokens = list(_tokens(prompt, 0))
    runs = frozenset(hash(_joined(tokens[first : last + 1])) for first, last in _runs(tokens, least))
    return Prompt(runs, f" {_joined(tokens)} ")


def _joined(tokens: list[Token]) -> str:
    return " ".join([token.text for token in tokens])


def _runs(tokens: list[Token], least: int) -> Iterator[tuple[int, int]]:
    """From each token on, the fewest that weigh ``least`` together, first and last."""
    last, weight = -1, 0
    for first in range(len(tokens)):
        if last < first:
            last, weight = first, tokens[first].weight
        while weight < least and last + 1 < len(tokens) and tokens[last + 1].joined:
            last += 1
            weight += tokens[last].weight
        if weight >= least:
            yield first, last
        weight -= tokens[first].weight


def _tokens(text: str, start: int) -> Iterator[Token]:
    """Words and single signs from ``start`` on; the rest of a word that began before it is left out."""
    at, length = start, len(text)
    if start and _in_word(text[start - 1]):
        while at < length and _in_word(text[at]):
            at += 1
    before = -1
    while at < length:
        character = text[at]
        if _is_sign(character):
            end, weight = at + 1, _SIGN_WEIGHT
        elif character.isalnum():
            end, weight = at + 1, _WORD_WEIGHT
            while end < length and _in_word(text[end]):
                end += 1
        else:
            at += 1
            continue
        if end - at > _LONGEST_WORD:
            before = -1
        else:
            yield Token(text[at:end].casefold(), at, end, weight, before >= 0 and at - before <= _MOST_BETWEEN)
            before = end
        at = end


def _in_word(character: str) -> bool:
    return character.isalnum() and not _is_sign(character)


def _is_sign(character: str) -> bool:
    """Of a script that is written without spaces: Thai and its neighbours, kana, Chinese characters."""
    return (
        "\u0e00" <= character <= "\u0eff"
        or "\u3040" <= character <= "\u9fff"
        or "\uf900" <= character <= "\ufaff"
        or character >= "\U00020000"
    )
