"""Scores every text with a model that learned from none of its source, and says what share was found."""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

import numpy as np
from scripts.guard_training.calibration import FALSE_ALARMS
from scripts.guard_training.examples import Example
from scripts.guard_training.folds import FOLDS, Way, fold_of
from scripts.guard_training.learning import Floats, Model, Prepared, logits, train

HARD = ("/benign.", "code-")
HARD_SHARE = 0.05
"""Texts written to be mistaken for attacks, and code that handles prompts, count for so much of harmless text when the threshold is taken.

With a tenth, everyday text raised an alarm in 0.0 to 0.2% of cases, where 1% was asked for; with 0.03, English messages did in 1.1%.
"""

COMMON_SOURCE = 500


class Held(NamedTuple):
    """A text and the greatest logit of its windows, by the model of the fold that did not know its source."""

    example: Example
    logit: float
    fold: int


def for_head(prepared: list[Prepared], where: str) -> list[Prepared]:
    """What a head learns from: its own attacks, for documents those of messages too, and everything harmless."""
    return [one for one in prepared if not one.example.attack or one.example.where == where or where == "untrusted"]


def weights_of(prepared: list[Prepared]) -> list[float]:
    """A large source counts for less a text, so that none drowns the others."""
    counts: dict[str, int] = defaultdict(int)
    for one in prepared:
        counts[one.example.source] += 1
    return [min(1.5, (COMMON_SOURCE / counts[one.example.source]) ** 0.5) for one in prepared]


def learn(prepared: list[Prepared], seed: int) -> Model:
    return train(prepared, [one.example.attack for one in prepared], weights_of(prepared), seed)


def held_out(prepared: list[Prepared], where: str, way: Way, seed: int) -> list[Held]:
    """Every text of ``where``, scored by the fold that held its source out."""
    found: list[Held] = []
    chosen = for_head(prepared, where)
    for fold in range(FOLDS):
        model = learn([one for one in chosen if fold_of(one.example.source, way) != fold], seed)
        rest = [one for one in chosen if fold_of(one.example.source, way) == fold and one.example.where == where]
        found += [Held(one.example, float(logits(model, one).max()), fold) for one in rest]
    return found


def _fold_threshold(held: list[Held], share: float) -> float:
    harmless = [one for one in held if not one.example.attack]
    scores = np.array([one.logit for one in harmless])
    hard = np.array([any(mark in one.example.source for mark in HARD) for one in harmless])
    weights: Floats = np.where(hard, HARD_SHARE / max(1, hard.sum()), (1 - HARD_SHARE) / max(1, (~hard).sum()))
    order = np.argsort(scores)
    upto = np.cumsum(weights[order]) / weights.sum()
    return float(scores[order][min(len(order) - 1, int(np.searchsorted(upto, 1 - share)))])


def fold_thresholds(held: list[Held], share: float = FALSE_ALARMS) -> dict[int, float]:
    """For each fold's model, the logit that ``share`` of harmless text exceeds, hard texts making up :data:`HARD_SHARE`."""
    folds = sorted({one.fold for one in held})
    return {fold: _fold_threshold([one for one in held if one.fold == fold], share) for fold in folds}


def table(held: list[Held]) -> list[tuple[str, bool, int, float]]:
    """Source, whether it is of attacks, how many texts, and the share above the threshold of its fold."""
    limits = fold_thresholds(held)
    groups: dict[tuple[str, bool], list[bool]] = defaultdict(list)
    for one in held:
        source = one.example.source
        name = source.rpartition(".")[0] if source.rpartition(".")[2].isdigit() else source
        groups[name, one.example.attack].append(one.logit >= limits[one.fold])
    return [(name, attack, len(hits), float(np.mean(hits))) for (name, attack), hits in sorted(groups.items())]
