"""The classifier's thresholds keep the alarms at harmless text within bounds, and those that ship were taken by that rule."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripts.guard_training.calibration import threshold
from scripts.guard_training.evaluation import ALARMS, Held, fold_thresholds, harmless_alarms
from scripts.guard_training.examples import Example

from seekway.pipeline.guardrails.classifier.weights import load_weights

EVERYDAY, HARD, ATTACK = "bfcl", "en/benign.requests.0", "en/attack.override.0"


def _held(source: str, scores: list[float], fold: int = 0) -> list[Held]:
    attack = source == ATTACK
    return [Held(Example("", attack, False, "direct", "en", source, 0, 0), score, fold) for score in scores]


def _ranks(count: int) -> list[float]:
    return [float(rank) for rank in range(count)]


@given(st.lists(st.floats(-50, 50), min_size=1, max_size=300), st.floats(0.0, 0.5))
def test_a_threshold_is_the_least_that_keeps_its_share_of_alarms(scores: list[float], share: float) -> None:
    logits = np.array(scores)
    limit = threshold(logits, share)
    assert (logits >= limit).mean() <= share + 1e-12
    assert (logits >= np.nextafter(limit, -np.inf)).mean() >= share


def test_without_harmless_texts_nothing_bounds_the_threshold() -> None:
    assert threshold(np.array([]), 0.01) == -math.inf


@pytest.mark.parametrize(("everyday", "hard"), [(2.0, 1.0), (1.0, 2.0)])
def test_the_stricter_of_the_two_bounds_holds(everyday: float, hard: float) -> None:
    held = _held(EVERYDAY, [rank * everyday for rank in _ranks(2_000)]) + _held(
        HARD, [rank * hard for rank in _ranks(2_000)]
    )
    alarms = harmless_alarms(held)
    assert alarms.everyday <= ALARMS.everyday
    assert alarms.hard <= ALARMS.hard
    assert alarms.everyday == ALARMS.everyday or alarms.hard == ALARMS.hard


def test_attacks_move_no_threshold() -> None:
    harmless = _held(EVERYDAY, _ranks(500)) + _held(HARD, _ranks(500))
    assert fold_thresholds(harmless + _held(ATTACK, _ranks(5_000))) == fold_thresholds(harmless)


def test_a_fold_without_everyday_text_goes_by_the_bound_of_hard_texts() -> None:
    held = _held(HARD, _ranks(100))
    assert harmless_alarms(held).hard == pytest.approx(ALARMS.hard)


def test_a_fold_without_harmless_text_has_no_threshold() -> None:
    with pytest.raises(ValueError, match="without harmless texts"):
        fold_thresholds(_held(EVERYDAY, _ranks(10)) + _held(ATTACK, _ranks(10), fold=1))


def test_each_fold_has_a_threshold_of_its_own() -> None:
    held = _held(HARD, _ranks(100)) + _held(HARD, [rank + 50 for rank in _ranks(100)], fold=1)
    limits = fold_thresholds(held)
    assert limits[1] == pytest.approx(limits[0] + 50)


def test_the_thresholds_that_ship_were_taken_by_this_rule() -> None:
    record = load_weights().record
    assert record.alarms == ALARMS, "the rule changed: train again with 'make train-guard'"
