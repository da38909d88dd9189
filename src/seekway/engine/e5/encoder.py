"""Texts to the unit vectors of multilingual-e5-small.

Every length of window that comes along makes OpenVINO compile kernels and keep them, some 7 ms and 3 MB each; so windows are filled up to one of a
few lengths, with tokens that nothing attends to.
"""

from __future__ import annotations

import bisect
import queue
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from seekway.core.errors import StartupError
from seekway.engine.e5.graph import GROUP, Compiled, Request, compile_graph
from seekway.engine.e5.unigram import Ids, Unigram
from seekway.engine.e5.weight_file import Floats, WeightFile

_LENGTHS: Final = (16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)
_UNSEEN: Final = -1e9
_QUERY, _PASSAGE = "query: ", "passage: "

_QUESTION: Final = "How do I return a washing machine?"
_NEAR: Final = ("Washers can be sent back within 30 days.", "洗衣机可以在三十天内退货。")
_FAR: Final = ("Bananas are yellow and grow on tall plants.", "长江是亚洲最长的河流。")
_APART: Final = 0.02
"""By how much a question's answers are nearer than anything else, at least; 0.05 in truth."""


class Tokens(msgspec.Struct, frozen=True):
    """One text, of which ``ids`` leaves out the first and last token of each window; ``count`` has one of each."""

    ids: Ids

    @property
    def count(self) -> int:
        return len(self.ids) + 2


class E5Encoder:
    """Safe to use from as many threads as there are ``streams``; another one waits."""

    def __init__(self, path: Path, *, streams: int) -> None:
        """Takes half a second. Raises ``ModelFileError`` for a damaged file, ``StartupError`` where this machine computes nonsense."""
        self._weights = WeightFile(path)
        pieces = self._weights.pieces()
        self._ends = np.array([pieces.first], np.int32), np.array([pieces.last], np.int32)
        self._unigram = Unigram(pieces)
        del pieces
        shape = self._weights.shape
        self.dimensions = shape.width
        self._places = (
            self._weights.vector("emb.pos").reshape(-1, shape.width) + self._weights.vector("emb.type")[: shape.width]
        )
        self._requests: queue.SimpleQueue[Request] = queue.SimpleQueue()
        self.eight_bits = self._compile(streams)
        self._weights.unmap()

    def most_characters(self, tokens: int) -> int:
        """A text with more characters than this has more tokens than that."""
        return tokens * self._unigram.longest

    def tokens(self, text: str, *, is_query: bool) -> Tokens:
        return Tokens(self._unigram.encode((_QUERY if is_query else _PASSAGE) + text))

    def encode(self, tokens: Tokens) -> Floats:
        """A unit vector. More tokens than fit in a window are cut into several, whose means count by their lengths."""
        size = self._weights.shape.window - 2
        total = np.zeros(self.dimensions, np.float32)
        for start in range(0, len(tokens.ids), size):
            part = tokens.ids[start : start + size]
            total += self._mean(part) * len(part)
        return total / np.maximum(np.linalg.norm(total), np.float32(1e-6))

    def _mean(self, ids: Ids) -> Floats:
        first, last = self._ends
        window = np.concatenate([first, ids, last])
        count = len(window)
        length = _LENGTHS[bisect.bisect_left(_LENGTHS, count)]
        embedded = np.zeros((1, length, self.dimensions), np.float32)
        embedded[0, :count] = self._weights.words(window)
        embedded[0, :count] += self._places[:count]
        mask = np.zeros((1, 1, 1, length), np.float32)
        mask[..., count:] = _UNSEEN
        share = np.zeros((1, 1, length), np.float32)
        share[..., :count] = 1 / count
        request = self._requests.get()
        try:
            (mean,) = request.infer({0: embedded, 1: mask, 2: share}).values()
            return np.array(mean[0, 0], np.float32)
        finally:
            self._requests.put(request)

    def _compile(self, streams: int) -> bool:
        """Whether activations are computed in 8 bits: not every processor's kernels for that give what they should, and such are told by their answers."""
        for group in (GROUP, 0):
            self._open(compile_graph(self._weights, streams=streams, group=group), streams)
            try:
                if self._makes_sense():
                    return group > 0
            except RuntimeError:
                if not group:
                    raise
        raise StartupError(
            "The embedding model computes nonsense on this machine's processor; set knowledge.embedding_model to one of another server."
        )

    def _open(self, compiled: Compiled, streams: int) -> None:
        self._requests = queue.SimpleQueue()
        for _ in range(streams):
            self._requests.put(compiled.create_infer_request())

    def _makes_sense(self) -> bool:
        question = self.encode(self.tokens(_QUESTION, is_query=True))
        near, far = (self._likeness(question, texts) for texts in (_NEAR, _FAR))
        return bool(min(near) > max(far) + _APART and max(near) < 1)

    def _likeness(self, question: Floats, texts: Sequence[str]) -> list[float]:
        return [float(self.encode(self.tokens(text, is_query=False)) @ question) for text in texts]
