"""Trains the linear heads: logistic regression over windows, the hardest windows of harmless texts added in rounds."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scripts.guard_training.examples import Example

from seekway.pipeline.guardrails.classifier.features import (
    BUCKET_BITS,
    MEANINGS,
    Buckets,
    Lexicon,
    features,
    meaning,
    tokenise,
)
from seekway.pipeline.guardrails.classifier.folding import Folding
from seekway.pipeline.guardrails.classifier.windows import WINDOW_TOKENS, Windows, windows_of

Floats = NDArray[np.float64]

ROUNDS = 3
EPOCHS = 8
BATCH = 256
RATE = 0.35
DECAY = 0.02
"""Share of every weight that an epoch takes away."""

NGRAM_COLUMNS = 5
NGRAM_DROP, CONCEPT_DROP = 0.3, 0.1
"""Features left out at random in training, so that no single wording carries a verdict."""

HARDEST = 3
WORDLESS = 0.3
"""Share of the rows that show their concepts alone."""

HIDDEN = 24
SHRINK = 0.02
BLOCK = 16_384


class Prepared(NamedTuple):
    """An example's buckets, shape (columns, tokens), its windows, and how closely each lies on its attack: what both hold in what either holds."""

    example: Example
    buckets: Buckets
    windows: Windows
    shares: Floats
    meanings: NDArray[np.float32]


class Model(NamedTuple):
    """Weights of one head's buckets, a bias for each window size, and the small network over concepts."""

    weights: Floats
    biases: Floats
    inward: Floats
    middle: Floats
    outward: Floats


def prepare(example: Example, folding: Folding, lexicon: Lexicon) -> Prepared | None:
    """None for a text without a token."""
    folded = folding.fold(example.text)
    tokens = tokenise(folded.part(0, BLOCK))
    if not len(tokens.hashes):
        return None
    windows = windows_of(len(tokens.hashes))
    inside = (tokens.starts >= example.start) & (tokens.ends <= example.end)
    held = np.concatenate(([0], np.cumsum(inside)))
    both = held[windows.ends] - held[windows.starts]
    shares = both / np.maximum(1, windows.ends - windows.starts + held[-1] - both)
    found = features(tokens, lexicon)
    return Prepared(example, found.buckets, windows, shares.astype(np.float64), meaning(found.concepts, windows))


def logits(model: Model, prepared: Prepared) -> Floats:
    """One logit a window, as the classifier computes it."""
    buckets, windows = prepared.buckets, prepared.windows
    used = np.concatenate(([0], np.cumsum(np.count_nonzero(buckets, axis=0))))
    sums = np.concatenate(([0.0], np.cumsum(model.weights[buckets].sum(axis=0))))
    counts = np.maximum(used[windows.ends] - used[windows.starts], 1)
    linear = (sums[windows.ends] - sums[windows.starts]) / np.sqrt(counts) + model.biases[windows.sizes]
    return linear + np.maximum(prepared.meanings @ model.inward + model.middle, 0) @ model.outward


class _Rows:
    """Windows to learn from: their features, which of them are n-grams, size, label and weight."""

    def __init__(self) -> None:
        self.ids: list[Buckets] = []
        self.ngrams: list[NDArray[np.bool_]] = []
        self.sizes: list[int] = []
        self.labels: list[float] = []
        self.weights: list[float] = []
        self.meanings: list[NDArray[np.float32]] = []
        self._seen: set[tuple[int, int]] = set()

    def add(self, prepared: Prepared, number: int, window: int, label: bool, weight: float) -> None:
        if (number, window) in self._seen:
            return
        self._seen.add((number, window))
        part = prepared.buckets[:, prepared.windows.starts[window] : prepared.windows.ends[window]]
        used = part > 0
        self.ids.append(part[used])
        self.ngrams.append(np.broadcast_to(np.arange(len(part))[:, None] < NGRAM_COLUMNS, part.shape)[used])
        self.sizes.append(int(prepared.windows.sizes[window]))
        self.labels.append(float(label))
        self.weights.append(weight)
        self.meanings.append(prepared.meanings[window])


class _Batch(NamedTuple):
    """Features of some rows; ``owner`` says whose each bucket is."""

    ids: Buckets
    owner: NDArray[np.intp]
    roots: Floats
    sizes: NDArray[np.int64]
    labels: Floats
    weights: Floats
    meanings: Floats


def _batch(rows: _Rows, order: NDArray[np.intp], rng: np.random.Generator) -> _Batch:
    chosen = [int(row) for row in order]
    lengths = np.array([len(rows.ids[row]) for row in chosen])
    ids = np.concatenate([rows.ids[row] for row in chosen])
    ngrams = np.concatenate([rows.ngrams[row] for row in chosen])
    owner = np.repeat(np.arange(len(chosen)), lengths)
    wordless = rng.random(len(chosen)) < WORDLESS
    keep = (rng.random(len(ids)) >= np.where(ngrams, NGRAM_DROP, CONCEPT_DROP)) & ~wordless[owner]
    ids, owner = ids[keep], owner[keep]
    roots = np.sqrt(np.maximum(np.bincount(owner, minlength=len(chosen)), 1))
    meanings = np.stack([rows.meanings[row] for row in chosen]).astype(np.float64)
    meanings *= rng.random(meanings.shape) >= CONCEPT_DROP
    sizes = np.array([rows.sizes[row] for row in chosen])
    labels = np.array([rows.labels[row] for row in chosen])
    weights = np.array([rows.weights[row] for row in chosen])
    return _Batch(ids, owner, roots, sizes, labels, weights, meanings)


def _step(parameter: Floats, squares: Floats, gradient: Floats, rate: float) -> None:
    squares += gradient**2
    parameter -= rate * gradient / np.sqrt(squares)


def _learn(model: Model, squares: Model, batch: _Batch) -> None:
    count = len(batch.labels)
    hidden = batch.meanings @ model.inward + model.middle
    active = np.maximum(hidden, 0)
    linear = np.bincount(batch.owner, weights=model.weights[batch.ids], minlength=count) / batch.roots
    scores = linear + model.biases[batch.sizes] + active @ model.outward
    slope = (1 / (1 + np.exp(-np.clip(scores, -30, 30))) - batch.labels) * batch.weights
    gradient = np.bincount(batch.ids, weights=(slope / batch.roots)[batch.owner], minlength=len(model.weights))
    touched = np.flatnonzero(gradient)
    squares.weights[touched] += gradient[touched] ** 2
    model.weights[touched] -= RATE * gradient[touched] / np.sqrt(squares.weights[touched])
    backward = (slope[:, None] * model.outward) * (hidden > 0)
    biases = np.bincount(batch.sizes, weights=slope, minlength=len(WINDOW_TOKENS)).astype(np.float64)
    _step(model.biases, squares.biases, biases, RATE)
    _step(model.outward, squares.outward, active.T @ slope + SHRINK * model.outward, RATE / 4)
    _step(model.inward, squares.inward, batch.meanings.T @ backward + SHRINK * model.inward, RATE / 4)
    _step(model.middle, squares.middle, backward.sum(axis=0), RATE / 4)


def _epoch(model: Model, squares: Model, rows: _Rows, rng: np.random.Generator) -> None:
    order = rng.permutation(len(rows.ids))
    for start in range(0, len(order), BATCH):
        _learn(model, squares, _batch(rows, order[start : start + BATCH], rng))
    model.weights[:] *= 1 - DECAY


def _new_model(rng: np.random.Generator) -> tuple[Model, Model]:
    buckets, sizes = 1 << BUCKET_BITS, len(WINDOW_TOKENS)
    inward = rng.normal(0, (2 / MEANINGS) ** 0.5, (MEANINGS, HIDDEN))
    outward = rng.normal(0, HIDDEN**-0.5, HIDDEN)
    model = Model(np.zeros(buckets), np.zeros(sizes), inward, np.zeros(HIDDEN), outward)
    shapes = (buckets, sizes, inward.shape, HIDDEN, HIDDEN)
    return model, Model(
        *(np.full(shape, start) for shape, start in zip(shapes, (0.05, 1.0, 1.0, 1.0, 1.0), strict=True))
    )


def train(prepared: list[Prepared], labels: list[bool], weights: list[float], seed: int) -> Model:
    """Fit one head; of an attack's windows those count that hold most of it, later those that score most."""
    rng = np.random.default_rng(seed)
    rows = _Rows()
    model, squares = _new_model(rng)
    for step in range(ROUNDS):
        for number, (one, label, weight) in enumerate(zip(prepared, labels, weights, strict=True)):
            scores = logits(model, one) if step else rng.random(len(one.shares))
            ranked = np.argsort(-(scores + 10.0 * one.shares if label else scores))
            most = 2 if label else HARDEST
            if label and step and one.example.end - one.example.start > 600:
                ranked = np.argsort(-scores)
            if step and not label and scores.max() < -3:
                continue
            for window in ranked[:most].tolist():
                rows.add(one, number, window, label, weight)
        for _ in range(EPOCHS):
            _epoch(model, squares, rows, rng)
    return model
