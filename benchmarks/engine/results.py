"""What a run found, and how it stands to what was promised."""

from __future__ import annotations

import platform
import statistics
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import msgspec
import psutil

from benchmarks.engine.measure import Alone, Level

_PACKAGES = ("seekway", "openvino", "openvino-genai", "xllamacpp", "grpcio", "uvicorn", "uvloop", "msgspec")
MIB = 1024 * 1024


class Machine(msgspec.Struct, frozen=True):
    cpu: str
    cores: int
    memory_mib: int
    system: str
    python: str
    versions: dict[str, str]
    load_before: float

    @classmethod
    def here(cls) -> Machine:
        return cls(
            cpu=_cpu_model(),
            cores=psutil.cpu_count() or 0,
            memory_mib=psutil.virtual_memory().total // MIB,
            system=f"{platform.system()} {platform.release()} {platform.machine()}",
            python=platform.python_version(),
            versions={name: version(name) for name in _PACKAGES},
            load_before=round(psutil.getloadavg()[0], 2),
        )


class Weights(msgspec.Struct, frozen=True):
    """Bytes: of the file's tensors as they lie, in INT8, in FP32, and what the engine says it holds."""

    quantization: str
    as_served: int
    int8: int
    fp32: int
    engine: int


class Results(msgspec.Struct, frozen=True):
    date: str
    command: str
    machine: Machine
    model: str
    prompt_tokens: int
    answer_tokens: int
    levels: list[Level]
    alone: Alone
    starts_s: list[float]
    weights: Weights


class Verdict(msgspec.Struct, frozen=True):
    """One promise: what was asked, what came out, and whether that is enough."""

    figure: str
    target: str
    found: str
    met: bool
    gap: str

    @property
    def word(self) -> str:
        return "met" if self.met else f"missed by {self.gap}"


def verdicts(results: Results) -> list[Verdict]:
    """The issue's figures, in its order."""
    by_concurrency = {level.concurrency: level for level in results.levels}
    found = [_ratio(by_concurrency[n]) for n in (8, 32) if n in by_concurrency]
    first = {way: statistics.median(times) for way, times in results.alone.first_token.items()}
    found += [
        _at_most("first token alone, HTTP", first["http"], 200, "ms"),
        _at_most("first token, HTTP over bare", first["http"] - first["bare"], 20, "ms"),
    ]
    if 1 in by_concurrency and 8 in by_concurrency:
        one, eight = (statistics.median(r.http for r in by_concurrency[n].rounds) for n in (1, 8))
        found.append(_at_least("batching at 8 over one at a time, HTTP", eight / one, 4.0, "times"))
    weights = results.weights
    found += [
        _at_most("INT8 weights of FP32's", 100 * weights.int8 / weights.fp32, 27, "%"),
        _at_most(f"weights as served ({weights.quantization}) of FP32's", 100 * weights.engine / weights.fp32, 27, "%"),
        _at_most("ready after the start", statistics.median(results.starts_s), 5, "s"),
    ]
    rss = max(results.levels, key=lambda level: level.concurrency).rss
    found += [
        _at_most("resident memory in total", sum(rss.values()) / MIB, 1.3 * 1024, "MiB"),
        _at_most("resident memory of the gateway", rss["gateway"] / MIB, 120, "MiB"),
    ]
    return found


def spread(values: Sequence[float], digits: int = 1) -> str:
    """Median, and the least and the greatest behind it."""
    median, low, high = statistics.median(values), min(values), max(values)
    return f"{median:.{digits}f} ({low:.{digits}f}–{high:.{digits}f})"


def _ratio(level: Level) -> Verdict:
    ratio = statistics.median(r.ratio for r in level.rounds)
    return _at_least(f"HTTP over bare, {level.concurrency} chats", ratio, 0.9, "times")


def _at_least(figure: str, found: float, target: float, unit: str) -> Verdict:
    return Verdict(
        figure, f"≥ {target:g} {unit}", f"{found:.2f} {unit}", found >= target, f"{target - found:.2f} {unit}"
    )


def _at_most(figure: str, found: float, target: float, unit: str) -> Verdict:
    return Verdict(
        figure, f"≤ {target:g} {unit}", f"{found:.1f} {unit}", found <= target, f"{found - target:.1f} {unit}"
    )


def _cpu_model() -> str:
    """As the kernel names it; family and model too, since virtual machines hide the name."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    fields = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    name = fields.get("model name", platform.machine())
    return f"{name} (family {fields.get('cpu family', '?')}, model {fields.get('model', '?')})"
