"""Finds long runs of the system prompt in an answer, word by word."""

from __future__ import annotations

from collections.abc import Container, Iterator
from functools import lru_cache
from itertools import accumulate
from typing import Final, NamedTuple

from seekway.pipeline.guardrails.detector import Finding, Scan

_WORD_WEIGHT, _SIGN_WEIGHT = 10, 3
"""Twelve words weigh as much as forty signs of a script that has no spaces."""
_MOST_BETWEEN: Final = 8
_LONGEST_WORD: Final = 64


class Prompt(NamedTuple):
    """``runs`` are the hashes of all runs that count, ``words`` the tokens; ``text`` is the whole, with a space before and after each token."""

    runs: frozenset[int]
    words: frozenset[str]
    text: str


class OverlapDetector:
    """Finds each run of at least ``min_words`` words of ``prompt``, or of as many signs of Chinese or Japanese in the ratio 12 to 40.

    Case, and up to 8 characters of space or punctuation between words, make no difference. A longer run is found as many runs that overlap.
    A prompt with fewer words than that has no run, and nothing of it is found.
    """

    name = "leakage"
    context_chars = 1
    needs_whole = False

    def __init__(self, prompt: str, *, min_words: int = 12) -> None:
        self._least = min_words * _WORD_WEIGHT
        self._prompt = _read(prompt, self._least)

    def scan(self, text: str, start: int, *, final: bool) -> Scan:
        if not self._prompt.runs:
            return Scan((), len(text))
        tokens = _Tokens(text, start)
        count = len(tokens.texts)
        # The last word may go on.
        open_ended = not final and count and tokens.ends[-1] == len(text) and not _is_sign(text[-1])
        findings = [
            Finding(self.name, "prompt_leak", "high", tokens.starts[first], tokens.ends[last], "overlap")
            for first, last in tokens.runs(self._least, self._prompt.words, count - 1 if open_ended else count)
            if hash(tokens.joined(first, last)) in self._prompt.runs
        ]
        return Scan(findings, len(text) if final else self._safe(text, tokens))

    def _safe(self, text: str, tokens: _Tokens) -> int:
        if not tokens.texts or len(text) - tokens.ends[-1] > _MOST_BETWEEN:
            return len(text)
        last = first = len(tokens.texts) - 1
        # The last word may not be whole, so that a run before it is not known to be none either.
        weight = 0
        words = self._prompt.words
        while first and tokens.follows[first] and weight < self._least and tokens.texts[first - 1] in words:
            first -= 1
            weight += tokens.weights[first]
        for at in range(first, last + 1):
            if f" {tokens.joined(at, last)}" in self._prompt.text:
                return tokens.starts[at]
        return len(text)


@lru_cache(maxsize=256)
def _read(prompt: str, least: int) -> Prompt:
    tokens = _Tokens(prompt, 0)
    words = frozenset(tokens.texts)
    count = len(tokens.texts)
    runs = frozenset(hash(tokens.joined(first, last)) for first, last in tokens.runs(least, words, count))
    return Prompt(runs, words, f" {tokens.joined(0, count - 1) if count else ''} ")


class _Tokens:
    """Words and single signs of ``text`` from ``start`` on; the rest of a word that began before it is left out.

    ``follows`` False begins a new run: what stands before is too far away, or no whole word.
    """

    def __init__(self, text: str, start: int) -> None:
        self.texts: list[str] = []
        self.starts: list[int] = []
        self.ends: list[int] = []
        self.weights: list[int] = []
        self.follows: list[bool] = []
        at, length, before = start, len(text), -1
        if start and _in_word(text[start - 1]):
            at = _word_end(text, at)
        while at < length:
            character = text[at]
            if not character.isalnum() and not _is_sign(character):
                at += 1
                continue
            sign = _is_sign(character)
            end = at + 1 if sign else _word_end(text, at + 1)
            if end - at > _LONGEST_WORD:
                before = -1
            else:
                self.texts.append(text[at:end])
                self.starts.append(at)
                self.ends.append(end)
                self.weights.append(_SIGN_WEIGHT if sign else _WORD_WEIGHT)
                self.follows.append(before >= 0 and at - before <= _MOST_BETWEEN)
                before = end
            at = end
        self.texts = "\n".join(self.texts).casefold().split("\n") if self.texts else []
        self._all = " ".join(self.texts)
        self._places = [0, *accumulate(len(word) + 1 for word in self.texts)]

    def joined(self, first: int, last: int) -> str:
        return self._all[self._places[first] : self._places[last + 1] - 1]

    def runs(self, least: int, words: Container[str], count: int) -> Iterator[tuple[int, int]]:
        """Of the first ``count`` tokens, from each on the fewest that weigh ``least`` together, first and last; all of them among ``words``."""
        first = weight = 0
        for last in range(count):
            if self.texts[last] not in words:
                first, weight = last + 1, 0
                continue
            if not self.follows[last]:
                first, weight = last, 0
            weight += self.weights[last]
            while weight >= least:
                yield first, last
                weight -= self.weights[first]
                first += 1


def _word_end(text: str, at: int) -> int:
    while at < len(text) and _in_word(text[at]):
        at += 1
    return at


def _in_word(character: str) -> bool:
    return character.isalnum() and not (character >= "\u0e00" and _is_sign(character))


def _is_sign(character: str) -> bool:
    """Of a script that is written without spaces: Thai and its neighbours, kana, Chinese characters."""
    return character >= "\u0e00" and (
        character <= "\u0eff"
        or "\u3040" <= character <= "\u9fff"
        or "\uf900" <= character <= "\ufaff"
        or character >= "\U00020000"
    )
