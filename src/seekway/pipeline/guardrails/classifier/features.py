"""Turns a folded text into hashed features, one row of buckets for every token, without a loop over characters.

A token is a word, one ideograph, or a run of symbols. The hash of a run comes from prefix sums of ``code * P**index`` in
64-bit arithmetic that wraps: ``(S[end] - S[start]) * P**-start`` depends on the run alone, since an odd P has an inverse.
Beside n-grams of tokens there are n-grams of concepts: words of one meaning share a number in both languages
(``ignore``, ``disregard``, ``忽略``, ``无视``), so that what is learned of one wording holds for others.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seekway.pipeline.guardrails.classifier.folding import IDEOGRAPH, SPACE, SYMBOL, Folded, Places
from seekway.pipeline.guardrails.classifier.windows import WINDOW_TOKENS, Windows

Hashes = NDArray[np.uint64]
Buckets = NDArray[np.int32]

BUCKET_BITS = 18
BLOCK_CHARS = 16_384
LONGEST_WORD = 24
LONGEST_SYMBOL = 4
LONGEST_PHRASE = 4
"""Tokens in the longest phrase of the lexicon."""

CONCEPTS = 48
"""At most so many concepts has the lexicon."""

MEANINGS = CONCEPTS + len(WINDOW_TOKENS) + 1
PAIR_REACH = 10
SKIP_REACH = 14
TRIPLE_REACH = 16
"""Within so many tokens concepts stand together."""

_P = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1
_MIX = np.uint64(0xFF51AFD7ED558CCD)
_JOIN = np.uint64(0xC2B2AE3D27D4EB4F)
_SHIFT = np.uint64(32)
_TO_BUCKET = np.uint64(64 - BUCKET_BITS)


class Tokens(NamedTuple):
    """Hash and class of every token, and ``start`` and ``end`` in the original text."""

    hashes: Hashes
    classes: NDArray[np.uint8]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]


def _powers(base: int) -> Hashes:
    powers = np.full(BLOCK_CHARS + 1, base & _MASK, np.uint64)
    powers[0] = 1
    return np.multiply.accumulate(powers)


_POWERS = _powers(_P)
_INVERSES = _powers(pow(_P, -1, 1 << 64))


def _mixed(hashes: Hashes) -> Hashes:
    hashes = (hashes ^ (hashes >> _SHIFT)) * _MIX
    return hashes ^ (hashes >> _SHIFT)


def tokenise(folded: Folded) -> Tokens:
    """The tokens of at most :data:`BLOCK_CHARS` folded characters."""
    classes = folded.classes
    count = len(classes)
    starts_here = np.ones(count, bool)
    starts_here[1:] = (classes[1:] != classes[:-1]) | (classes[1:] == IDEOGRAPH)
    starts_here &= classes != SPACE
    ends_here = np.ones(count, bool)
    ends_here[:-1] = (classes[1:] != classes[:-1]) | (classes[:-1] == IDEOGRAPH)
    ends_here &= classes != SPACE
    starts = np.flatnonzero(starts_here)
    ends = np.flatnonzero(ends_here) + 1
    kinds = classes[starts]
    between = np.zeros(len(kinds), bool)  # a lone symbol between ideographs is a disguise or nothing
    if len(kinds) > 2:
        ideographs = kinds == IDEOGRAPH
        between[1:-1] = (kinds[1:-1] == SYMBOL) & (ends[1:-1] - starts[1:-1] == 1) & ideographs[:-2] & ideographs[2:]
        if between.any():
            starts, ends, kinds = starts[~between], ends[~between], kinds[~between]
    cut = np.minimum(ends, starts + np.where(kinds == SYMBOL, LONGEST_SYMBOL, LONGEST_WORD))
    sums = np.zeros(count + 1, np.uint64)
    np.cumsum(folded.codes.astype(np.uint64) * _POWERS[:count], out=sums[1:])
    hashes = _mixed((sums[cut] - sums[starts]) * _INVERSES[starts])
    origins = folded.origins
    return Tokens(hashes, kinds, origins[starts], origins[ends - 1] + 1 if len(ends) else origins[:0])


def phrase_hashes(hashes: Hashes) -> list[Hashes]:
    """Hashes of the phrases of 1 to :data:`LONGEST_PHRASE` tokens that begin at each token; 0 past the end."""
    phrases = [hashes]
    for length in range(2, LONGEST_PHRASE + 1):
        joined = np.zeros(len(hashes), np.uint64)
        room = len(hashes) - length + 1
        if room > 0:
            joined[:room] = _mixed(phrases[-1][:room] * _JOIN + hashes[length - 1 :])
        phrases.append(joined)
    return phrases


class Lexicon:
    """Phrases by their hashes and the concept of each, from 1 upwards."""

    def __init__(self, phrases: Hashes, concepts: NDArray[np.uint16]) -> None:
        self._phrases = phrases
        self._concepts = concepts

    def concepts_at(self, phrases: list[Hashes]) -> NDArray[np.uint16]:
        """The concept of the longest known phrase that begins at each token, 0 for none."""
        found = np.zeros(len(phrases[0]), np.uint16)
        for hashes in phrases:
            at = np.minimum(np.searchsorted(self._phrases, hashes), len(self._phrases) - 1)
            found = np.where(self._phrases[at] == hashes, self._concepts[at], found)
        return found


def _buckets(hashes: Hashes, salt: int) -> Buckets:
    salted = (hashes ^ np.uint64((salt * _P) & _MASK)) * _MIX
    return np.maximum((salted >> _TO_BUCKET).astype(np.int32), 1)


def _ngrams(tokens: Tokens, phrases: list[Hashes]) -> list[Buckets]:
    count = len(tokens.hashes)
    columns = [_buckets(phrases[0], 1)]
    for length in (2, 3, 4):
        buckets = _buckets(phrases[length - 1], length)
        buckets[max(0, count - length + 1) :] = 0
        if length == LONGEST_PHRASE:
            buckets[tokens.classes != IDEOGRAPH] = 0
        columns.append(buckets)
    skip = np.zeros(count, np.int32)
    if count > 2:
        skip[:-2] = _buckets(tokens.hashes[:-2] * _JOIN + tokens.hashes[2:], 5)
    columns.append(skip)
    return columns


def _concept_runs(concepts: NDArray[np.uint16]) -> list[Buckets]:
    columns = [np.zeros(len(concepts), np.int32) for _ in range(4)]
    places = np.flatnonzero(concepts)
    named = concepts[places].astype(np.uint64)
    columns[0][places] = _buckets(named, 6)
    for column, step, reach in ((1, 1, PAIR_REACH), (2, 2, SKIP_REACH)):
        if len(places) > step:
            near = places[step:] - places[:-step] <= reach
            pairs = _mixed(named[:-step] * _JOIN + named[step:])
            columns[column][places[:-step][near]] = _buckets(pairs, 7)[near]
    if len(places) > 2:
        near = places[2:] - places[:-2] <= TRIPLE_REACH
        triples = _mixed(_mixed(named[:-2] * _JOIN + named[1:-1]) * _JOIN + named[2:])
        columns[3][places[:-2][near]] = _buckets(triples, 8)[near]
    return columns


class Features(NamedTuple):
    """``buckets`` of every token, shape (columns, tokens), where 0 stands for none; and the concept that begins at each, or 0."""

    buckets: Buckets
    concepts: NDArray[np.uint16]


def features(tokens: Tokens, lexicon: Lexicon) -> Features:
    phrases = phrase_hashes(tokens.hashes)
    concepts = lexicon.concepts_at(phrases)
    return Features(np.stack([*_ngrams(tokens, phrases), *_concept_runs(concepts)]), concepts)


def _show(out: NDArray[np.float32], places: Places, which: NDArray[np.uint16], windows: Windows) -> None:
    """Mark concept ``which`` at token ``places`` in every window that holds it, in time that grows with the places alone."""
    for size in range(len(WINDOW_TOKENS)):
        rows = np.flatnonzero(windows.sizes == size)
        first = np.searchsorted(windows.ends[rows], places, "right")
        past = np.searchsorted(windows.starts[rows], places, "right")
        while (held := first < past).any():
            out[rows[first[held]], which[held] - 1] = 1
            first = first + 1


def meaning(concepts: NDArray[np.uint16], windows: Windows) -> NDArray[np.float32]:
    """What the windows speak of, shape (windows, :data:`MEANINGS`): each concept there or not, the size, the concepts' density."""
    places = np.flatnonzero(concepts)
    out = np.zeros((len(windows.starts), MEANINGS), np.float32)
    _show(out[:, :CONCEPTS], places, concepts[places], windows)
    out[np.arange(len(out)), CONCEPTS + windows.sizes] = 1
    upto = np.zeros(len(concepts) + 1, np.int64)
    np.cumsum(concepts > 0, out=upto[1:])
    out[:, -1] = (upto[windows.ends] - upto[windows.starts]) / (windows.ends - windows.starts)
    return out
