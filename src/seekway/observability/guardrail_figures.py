"""What the guardrails have done since the process started: plain numbers on the way, Prometheus metrics at a scrape."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector


@dataclass(slots=True)
class DetectorFigures:
    """``seconds`` are the detector's own; ``failures`` are scans in which it raised."""

    name: str
    scans: int = 0
    seconds: float = 0.0
    failures: int = 0


@dataclass(slots=True)
class GuardrailCounts:
    """``verdicts`` by policy, part and action; ``findings`` by policy, part, detector, category and action, passages that reached nobody included.

    ``remembered`` texts had a verdict already; ``unreviewed`` found no time or no working detector, by policy, part and what the policy then did.
    """

    detectors: dict[str, DetectorFigures] = field(default_factory=dict[str, DetectorFigures])
    verdicts: Counter[tuple[str, str, str]] = field(default_factory=Counter[tuple[str, str, str]])
    findings: Counter[tuple[str, str, str, str, str]] = field(default_factory=Counter[tuple[str, str, str, str, str]])
    unreviewed: Counter[tuple[str, str, str]] = field(default_factory=Counter[tuple[str, str, str]])
    remembered: int = 0

    def detector(self, name: str) -> DetectorFigures:
        return self.detectors.setdefault(name, DetectorFigures(name))


class GuardrailFigures(Collector):
    """Register with the process's registry. ``memory`` gives the entries and bytes of the verdicts remembered."""

    def __init__(self, counts: GuardrailCounts, memory: Callable[[], tuple[int, int]]) -> None:
        self._counts = counts
        self._memory = memory

    def describe(self) -> Iterator[Metric]:
        """Empty, so that registering reads nothing."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        counts = self._counts
        for name, text, labels, numbers in (
            ("verdicts", "Texts reviewed, by what became of them.", ("policy", "part", "action"), counts.verdicts),
            (
                "findings",
                "What was found, by what was done about it.",
                ("policy", "part", "detector", "category", "action"),
                counts.findings,
            ),
            (
                "unreviewed",
                "Texts whose review failed or found no time, by what was done with them.",
                ("policy", "part", "action"),
                counts.unreviewed,
            ),
        ):
            family = CounterMetricFamily(f"seekway_guardrail_{name}", text, labels=labels)
            for values, count in tuple(numbers.items()):
                family.add_metric(values, count)
            yield family
        detectors = tuple(counts.detectors.values())
        for name, text, values in (
            ("scans", "Pieces of text a detector looked through.", [d.scans for d in detectors]),
            ("seconds", "A detector's own time.", [d.seconds for d in detectors]),
            ("failures", "Scans in which a detector failed.", [d.failures for d in detectors]),
        ):
            family = CounterMetricFamily(f"seekway_guardrail_{name}", text, labels=("detector",))
            for detector, value in zip(detectors, values, strict=True):
                family.add_metric((detector.name,), value)
            yield family
        yield CounterMetricFamily(
            "seekway_guardrail_remembered", "Texts that had a verdict already.", value=counts.remembered
        )
        entries, size = self._memory()
        yield GaugeMetricFamily("seekway_guardrail_memory_entries", "Verdicts remembered.", value=entries)
        yield GaugeMetricFamily("seekway_guardrail_memory_bytes", "Memory of the verdicts, about.", value=size)
