"""Turns logits of texts the model did not learn from into probabilities and thresholds."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scripts.guard_training.learning import Floats

STEPS = 400


class Calibration(NamedTuple):
    """``1 / (1 + exp(-(slope * logit + offset)))`` is how likely a text is an attack, where half of all texts are."""

    slope: float
    offset: float

    def score(self, logit: float) -> float:
        return 1 / (1 + math.exp(-max(-30.0, min(30.0, self.slope * logit + self.offset))))


def calibrate(attacks: Floats, harmless: Floats) -> Calibration:
    """Platt's scaling (Platt 1999) with both classes weighing the same, by Newton's method."""
    logits = np.concatenate((attacks, harmless))
    labels = np.concatenate((np.ones(len(attacks)), np.zeros(len(harmless))))
    weights = np.concatenate((np.full(len(attacks), 0.5 / len(attacks)), np.full(len(harmless), 0.5 / len(harmless))))
    slope, offset = 1.0 / max(1e-6, float(logits.std())), 0.0
    for _ in range(STEPS):
        chances = 1 / (1 + np.exp(-np.clip(slope * logits + offset, -30, 30)))
        error = (chances - labels) * weights
        spread = np.maximum(chances * (1 - chances), 1e-9) * weights
        gradient = np.array([(error * logits).sum(), error.sum()])
        hessian = np.array(
            [[(spread * logits**2).sum(), (spread * logits).sum()], [(spread * logits).sum(), spread.sum()]]
        ) + 1e-6 * np.eye(2)
        step = np.linalg.solve(hessian, gradient)
        step *= min(1.0, 1.0 / float(np.abs(step).max() + 1e-12))
        slope, offset = slope - float(step[0]), offset - float(step[1])
        if float(np.abs(step).max()) < 1e-9:
            break
    return Calibration(max(slope, 1e-3), offset)


def threshold(harmless: Floats, share: float) -> float:
    """The least logit from which on at most ``share`` of harmless texts raise an alarm; minus infinity where there are none."""
    if not len(harmless):
        return -math.inf
    allowed = int(share * len(harmless))
    return float(np.nextafter(np.sort(harmless)[len(harmless) - 1 - allowed], np.inf))
