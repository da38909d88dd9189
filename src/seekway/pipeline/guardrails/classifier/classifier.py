"""Scores texts for prompt injection and jailbreaks: hashed words and phrases, and what they mean together, the worst window counting.

Plain synchronous NumPy of about a millisecond for 1 KB: whoever serves an event loop runs it in a thread. NumPy lets
other threads run while it computes on arrays, so that long texts do not stop the loop either.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np

from seekway.pipeline.guardrails.classifier.encoded import decode
from seekway.pipeline.guardrails.classifier.features import BLOCK_CHARS, features, meaning, tokenise
from seekway.pipeline.guardrails.classifier.folding import IDEOGRAPH, LETTER, Folded
from seekway.pipeline.guardrails.classifier.weights import DIRECTORY, Head, Weights, load_weights
from seekway.pipeline.guardrails.classifier.windows import windows_of

Kind = Literal["injection", "jailbreak"]
Language = Literal["en", "zh"]

BLOCK_OVERLAP = 1_024
CHINESE_SHARE = 0.3
"""Where ideographs are so many of the tokens, the text counts as Chinese; what is neither counts as English."""

DIRECT, UNTRUSTED, IS_JAILBREAK = range(3)


class Score(msgspec.Struct, frozen=True):
    """How surely a text is an attack, from 0 to 1, and the characters ``start`` up to ``end`` that say so most."""

    score: float
    start: int
    end: int
    kind: Kind
    language: Language


class _Worst(msgspec.Struct, frozen=True):
    logit: float
    start: int
    end: int
    jailbreak: float


NOTHING = _Worst(-30.0, 0, 0, -1.0)


class InjectionClassifier:
    """Scores texts; holds no state but its weights, so that threads may share one."""

    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        self._pairs = [np.ascontiguousarray(weights.table[:, (head, IS_JAILBREAK)]) for head in (DIRECT, UNTRUSTED)]

    @classmethod
    def load(cls, directory: Path = DIRECTORY) -> InjectionClassifier:
        """Read the weights that ship with the package, or those in ``directory``; :class:`ModelFileError` where that fails."""
        return cls(load_weights(directory))

    def threshold(self, language: Language, *, untrusted: bool) -> float:
        """The score from which on to act, so that 1% of harmless texts raise an alarm."""
        thresholds = self._weights.record.thresholds
        return (thresholds.untrusted if untrusted else thresholds.direct)[language]

    def score(self, text: str, *, untrusted: bool) -> Score:
        """Score ``text``: what a user writes, or with ``untrusted`` what a document or a tool brought in.

        Time and memory grow with the text's length alone; any string will do, broken surrogates among them.
        """
        head_index = UNTRUSTED if untrusted else DIRECT
        worst, ideographs, letters = self._worst_of(text, head_index)
        for passage in decode(text):
            found, _, _ = self._worst_of(passage.text, head_index)
            if found.logit > worst.logit:
                worst = _Worst(found.logit, passage.start, passage.end, found.jailbreak)
        return Score(
            score=_calibrated(worst.logit, self._weights.record.heads[head_index]),
            start=worst.start,
            end=worst.end,
            kind="jailbreak" if worst.jailbreak > 0 else "injection",
            language="zh" if ideographs > CHINESE_SHARE * (ideographs + letters) else "en",
        )

    def score_many(self, texts: Iterable[str], *, untrusted: bool) -> list[Score]:
        return [self.score(text, untrusted=untrusted) for text in texts]

    def _worst_of(self, text: str, head: int) -> tuple[_Worst, int, int]:
        folded = self._weights.folding.fold(text)
        worst, ideographs, letters = NOTHING, 0, 0
        for start in range(0, max(1, len(folded.codes) - BLOCK_OVERLAP), BLOCK_CHARS - BLOCK_OVERLAP):
            block = folded.part(start, start + BLOCK_CHARS)
            found, here_ideographs, here_letters = self._worst_in_block(block, head)
            ideographs += here_ideographs
            letters += here_letters
            if found.logit > worst.logit:
                worst = found
        return worst, ideographs, letters

    def _worst_in_block(self, block: Folded, head: int) -> tuple[_Worst, int, int]:
        tokens = tokenise(block)
        count = len(tokens.hashes)
        if not count:
            return NOTHING, 0, 0
        ideographs = int(np.count_nonzero(tokens.classes == IDEOGRAPH))
        letters = int(np.count_nonzero(tokens.classes == LETTER))
        buckets, concepts = features(tokens, self._weights.lexicon)
        used = np.zeros(count + 1, np.int64)
        np.cumsum(np.count_nonzero(buckets, axis=0), out=used[1:])
        sums = np.zeros((count + 1, 2), np.int64)
        np.cumsum(self._pairs[head][buckets].sum(axis=0, dtype=np.int64), axis=0, out=sums[1:])
        windows = windows_of(count)
        starts, ends, sizes = windows
        roots = np.sqrt(np.maximum(used[ends] - used[starts], 1))
        own, other = self._weights.record.heads[head], self._weights.record.heads[IS_JAILBREAK]
        meanings = meaning(concepts, windows)
        logits = (sums[ends, 0] - sums[starts, 0]) * own.scale / roots + np.array(own.biases)[sizes]
        logits += self._weights.networks[head].logits(meanings)
        at = int(np.argmax(logits))
        first, last = int(starts[at]), int(ends[at]) - 1
        jailbreak = float(sums[last + 1, 1] - sums[first, 1]) * other.scale / float(roots[at])
        jailbreak += other.biases[int(sizes[at])]
        jailbreak += self._weights.networks[IS_JAILBREAK].logits(meanings[at : at + 1]).item()
        found = _Worst(float(logits[at]), int(tokens.starts[first]), int(tokens.ends[last]), jailbreak)
        return found, ideographs, letters


def _calibrated(logit: float, head: Head) -> float:
    return 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, head.slope * logit + head.offset))))
