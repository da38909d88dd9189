"""The detectors there are, made as a policy wants them and shared among all that want the same."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from seekway.core.errors import ConfigError
from seekway.core.sections.guardrails import DetectorName, PartName, PolicySettings
from seekway.pipeline.guardrails.guardrails import Made


class Detectors:
    """A :class:`seekway.pipeline.guardrails.guardrails.MakeDetector`."""

    def __call__(self, name: DetectorName, policy: PolicySettings, part: PartName, lists: Sequence[Path]) -> Made:
        raise ConfigError(f"guardrails: there is no detector {name}.")
