"""Questions asked before, as unit vectors, by tenant and by everything else of the request; compared one by one.

A linear scan is exact and needs no index to keep up to date: 1,000 vectors of 384 dimensions take about 40 µs.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from seekway.core.types import GenerateRequest
from seekway.pipeline.cache.near_match import MOST_CHARACTERS

Vector = npt.NDArray[np.float32]

_MOST_CANDIDATES: Final = 5
_FIRST_ROWS: Final = 16


@dataclass(frozen=True, slots=True)
class Question:
    """One question: its vector, its words (:func:`seekway.pipeline.cache.near_match.words`), and the key of its answer."""

    vector: Vector
    words: tuple[str, ...]
    key: bytes


@dataclass(frozen=True, slots=True)
class Candidate:
    cosine: float
    question: Question


def question_of(request: GenerateRequest) -> str | None:
    """The last user message's text; None where meaning alone must not decide: tools, pictures, a prefix to continue, a raw prompt, a document."""
    if request.tools or not request.messages or request.sampling.top_logprobs is not None:
        return None
    last = request.messages[-1]
    if last.role != "user" or not isinstance(last.content, str):
        return None
    text = last.content.strip()
    return text if 0 < len(text) <= MOST_CHARACTERS else None


class SemanticIndex:
    """``most`` questions a context, the oldest goes; ``most_vectors`` in all, the least recently used context goes."""

    def __init__(self, *, most: int, most_vectors: int, threshold: float) -> None:
        self._most = most
        self._most_vectors = most_vectors
        self._threshold = threshold
        self._contexts: OrderedDict[bytes, _Context] = OrderedDict()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def near(self, context: bytes, vector: Vector) -> list[Candidate]:
        """At most five questions at least as near as the threshold, the nearest first."""
        found = self._contexts.get(context)
        if found is None:
            return []
        self._contexts.move_to_end(context)
        return found.near(vector, self._threshold)

    def add(self, context: bytes, question: Question) -> None:
        found = self._contexts.get(context)
        if found is None:
            found = self._contexts[context] = _Context(question.vector.shape[0])
        self._contexts.move_to_end(context)
        self._count += found.add(question, min(self._most, self._most_vectors))
        while self._count > self._most_vectors:
            _, gone = self._contexts.popitem(last=False)
            self._count -= len(gone)

    def forget(self, context: bytes, question: Question) -> None:
        """Its answer is no longer there."""
        found = self._contexts.get(context)
        if found is not None:
            self._count -= found.forget(question)
            if not len(found):
                del self._contexts[context]

    def clear(self, tag: bytes) -> None:
        """Forget every context whose key begins with ``tag``, all for an empty one."""
        for context in [context for context in self._contexts if context.startswith(tag)]:
            self._count -= len(self._contexts.pop(context))


class _Context:
    def __init__(self, dimensions: int) -> None:
        self._rows: Vector = np.zeros((_FIRST_ROWS, dimensions), np.float32)
        self._questions: list[Question] = []
        self._oldest = 0

    def __len__(self) -> int:
        return len(self._questions)

    def near(self, vector: Vector, threshold: float) -> list[Candidate]:
        if vector.shape[0] != self._rows.shape[1]:
            return []
        cosines = self._rows[: len(self._questions)] @ vector
        nearest = np.flatnonzero(cosines >= threshold)
        ranked = nearest[np.argsort(-cosines[nearest])][:_MOST_CANDIDATES]
        return [Candidate(float(cosines[i]), self._questions[i]) for i in map(int, ranked)]

    def add(self, question: Question, most: int) -> int:
        """By how many questions the context has grown: 0 where one made room or was there already."""
        if question.vector.shape[0] != self._rows.shape[1]:
            # The embedding model was changed for another; vectors of two models cannot be compared.
            return 0
        at = next((i for i, known in enumerate(self._questions) if known.words == question.words), len(self))
        grown = 0
        if at == len(self) and at >= most:
            at, self._oldest = self._oldest % most, self._oldest + 1
        if at == len(self):
            self._questions.append(question)
            grown = 1
            if at == self._rows.shape[0]:
                self._rows = np.concatenate([self._rows, np.zeros_like(self._rows)])
        self._questions[at] = question
        self._rows[at] = question.vector
        return grown

    def forget(self, question: Question) -> int:
        """How many questions went: the last one takes the place of the one that goes."""
        at = next((i for i, known in enumerate(self._questions) if known is question), None)
        if at is None:
            return 0
        last = self._questions.pop()
        if at < len(self._questions):
            self._questions[at] = last
            self._rows[at] = last.vector
        return 1
