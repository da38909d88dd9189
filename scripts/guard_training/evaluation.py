"""Scores every text with a model that learned from none of its source, and says what share was found."""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

import numpy as np
from scripts.guard_training.calibration import threshold
from scripts.guard_training.examples import Example
from scripts.guard_training.folds import FOLDS, Way, fold_of
from scripts.guard_training.learning import Model, Prepared, logits, train

from seekway.pipeline.guardrails.classifier.weights import Alarms

HARD = ("/benign.", "code-")
"""Sources of texts that were written to be mistaken for attacks, and of code that handles prompts."""

ALARMS = Alarms(everyday=0.006, hard=0.15)
"""A fold's threshold is the least one at which no more than these shares of its everyday and of its hard texts raise an alarm.

Together they are the 1% that is asked for where 3% of harmless text is hard. Each kind has a bound of its own since the
folds hold unlike shares of both: of a weighted mix, a fold without everyday text took its threshold where 1% of hard
texts raise an alarm, and one with a single everyday text where a fifth did. With 10% of hard texts, 3 to 6 points of
recall are lost for 0.0 to 0.2 points of alarms at everyday text; with 20%, 1 to 4 points are won, and up to one hard
text in six raises an alarm.
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


def _is_hard(example: Example) -> bool:
    return any(mark in example.source for mark in HARD)


def _fold_threshold(held: list[Held], alarms: Alarms) -> float:
    harmless = [one for one in held if not one.example.attack]
    if not harmless:
        raise ValueError("a fold without harmless texts has no threshold")
    everyday = np.array([one.logit for one in harmless if not _is_hard(one.example)])
    hard = np.array([one.logit for one in harmless if _is_hard(one.example)])
    return max(threshold(everyday, alarms.everyday), threshold(hard, alarms.hard))


def fold_thresholds(held: list[Held], alarms: Alarms = ALARMS) -> dict[int, float]:
    """For each fold's model, the least logit at which ``alarms`` hold."""
    folds = sorted({one.fold for one in held})
    return {fold: _fold_threshold([one for one in held if one.fold == fold], alarms) for fold in folds}


def harmless_alarms(held: list[Held]) -> Alarms:
    """The shares of everyday and of hard texts at or above the threshold of their fold, 0 of none."""
    limits = fold_thresholds(held)
    harmless = [one for one in held if not one.example.attack]
    hard = [one.logit >= limits[one.fold] for one in harmless if _is_hard(one.example)]
    everyday = [one.logit >= limits[one.fold] for one in harmless if not _is_hard(one.example)]
    return Alarms(everyday=sum(everyday) / max(1, len(everyday)), hard=sum(hard) / max(1, len(hard)))


def table(held: list[Held]) -> list[tuple[str, bool, int, float]]:
    """Source, whether it is of attacks, how many texts, and the share above the threshold of its fold."""
    limits = fold_thresholds(held)
    groups: dict[tuple[str, bool], list[bool]] = defaultdict(list)
    for one in held:
        source = one.example.source
        name = source.rpartition(".")[0] if source.rpartition(".")[2].isdigit() else source
        groups[name, one.example.attack].append(one.logit >= limits[one.fold])
    return [(name, attack, len(hits), float(np.mean(hits))) for (name, attack), hits in sorted(groups.items())]
