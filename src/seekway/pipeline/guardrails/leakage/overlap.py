"""Finds long runs of the system prompt in an answer, word by word."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from functools import lru_cache
from itertools import accumulate, compress, pairwise
from typing import Final, NamedTuple

from seekway.pipeline.guardrails.detector import Finding, Scan

_WORD_WEIGHT, _SIGN_WEIGHT = 10, 3
"""Twelve words weigh as much as forty signs of a script that has no spaces."""
_MOST_BETWEEN: Final = 8
_LONGEST_WORD: Final = 64
# Of scripts that are written without spaces: Thai and its neighbours, kana, Chinese characters.
_SIGNS: Final = "\u0e00-\u0eff\u3040-\u9fff\uf900-\ufaff\U00020000-\U0010ffff"
# Python's own engine, not RE2: each is one set of characters, repeated at most, so that there is nothing to go back to and the time is
# linear (2 ms for 100,000 letters). RE2's package makes an object of Python for every word: 0.8 ms and more for 1 KB against 0.05 (English)
# and 0.09 (Chinese) here, without the way back from bytes to characters; and its classes of letters take what is not assigned for some.
_WORD: Final = re.compile(f"[^\\W_{_SIGNS}]+")
_TOKEN: Final = re.compile(f"[{_SIGNS}]|[^\\W_{_SIGNS}]+")


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
        self._fewest = min_words
        self._run = b"\1" * min_words
        self._prompt = _read(prompt, self._least)

    @property
    def can_find(self) -> bool:
        """Whether the prompt has any run that counts."""
        return bool(self._prompt.runs)

    def scan(self, text: str, start: int, *, final: bool) -> Scan:
        if not self._prompt.runs:
            return Scan((), len(text))
        if self._is_quiet(_TOKEN.findall(text, start), final=final):
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
        safe = len(text) if final else self._safe(text, tokens)
        # What begins after that is found again with what follows.
        return Scan([one for one in findings if one.start < safe], safe)

    def _is_quiet(self, written: list[str], *, final: bool) -> bool:
        """Whether too few words of the prompt follow each other for a run, and the last one begins none of them."""
        if not written:
            return True
        # All at once: each by itself takes twice as long. No word has a line's end in it.
        if len(written) >= self._fewest and self._run in bytes(
            map(self._prompt.words.__contains__, "\n".join(written).casefold().split("\n"))
        ):
            return False
        return final or f" {written[-1].casefold()}" not in self._prompt.text

    def _safe(self, text: str, tokens: _Tokens) -> int:
        if not tokens.texts or len(text) - tokens.ends[-1] > _MOST_BETWEEN:
            return len(text)
        last = first = len(tokens.texts) - 1
        # The last word may not be whole, so that a run before it is not known to be none either.
        weight = 0
        words = self._prompt.words
        while first and tokens.follows[first] and weight < self._least and tokens.texts[first - 1] in words:
            first -= 1
            weight += tokens.weight(first)
        for at in range(first, last + 1):
            if f" {tokens.joined(at, last)}" in self._prompt.text:
                return tokens.starts[at]
        return len(text)


@lru_cache(maxsize=256)
def overlap_detector(prompt: str, min_words: int) -> OverlapDetector | None:
    """One for all requests of the same prompt; None where it is too short for anything of it to be found."""
    detector = OverlapDetector(prompt, min_words=min_words)
    return detector if detector.can_find else None


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
        at = start
        if start and _WORD.match(text, start - 1) and (rest := _WORD.match(text, at)):
            at = rest.end()
        spans = [found.span() for found in _TOKEN.finditer(text, at)]
        self.follows = [False, *(then - before <= _MOST_BETWEEN for (_, before), (then, _) in pairwise(spans))]
        if any(end - begin > _LONGEST_WORD for begin, end in spans):
            kept = [end - begin <= _LONGEST_WORD for begin, end in spans]
            follows = [follows and before for follows, before in zip(self.follows, [False, *kept], strict=False)]
            self.follows = list(compress(follows, kept))
            spans = list(compress(spans, kept))
        self.starts = [begin for begin, _ in spans]
        self.ends = [end for _, end in spans]
        written = [text[begin:end] for begin, end in spans]
        self.texts = "\n".join(written).casefold().split("\n") if written else []
        self._written = written
        self._joined: tuple[str, list[int]] | None = None

    def joined(self, first: int, last: int) -> str:
        if self._joined is None:
            places = [0, *accumulate(len(word) + 1 for word in self.texts)]
            self._joined = " ".join(self.texts), places
        text, places = self._joined
        return text[places[first] : places[last + 1] - 1]

    def weight(self, token: int) -> int:
        written = self._written[token]
        return _SIGN_WEIGHT if len(written) == 1 and _is_sign(written) else _WORD_WEIGHT

    def runs(self, least: int, words: Container[str], count: int) -> Iterator[tuple[int, int]]:
        """Of the first ``count`` tokens, from each on the fewest that weigh ``least`` together, first and last; all of them among ``words``."""
        first = weight = 0
        for last in range(count):
            if self.texts[last] not in words:
                first, weight = last + 1, 0
                continue
            if not self.follows[last]:
                first, weight = last, 0
            weight += self.weight(last)
            while weight >= least:
                yield first, last
                weight -= self.weight(first)
                first += 1


def _is_sign(character: str) -> bool:
    """Of a script that is written without spaces: Thai and its neighbours, kana, Chinese characters."""
    return character >= "\u0e00" and (
        character <= "\u0eff"
        or "\u3040" <= character <= "\u9fff"
        or "\uf900" <= character <= "\ufaff"
        or character >= "\U00020000"
    )
