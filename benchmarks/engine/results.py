"""What a run found, and how it stands to what was promised."""

from __future__ import annotations

import statistics

import msgspec

from benchmarks.engine.measure import Alone, Level
from benchmarks.machine import MIB, Machine
from benchmarks.verdicts import Verdict, at_least, at_most

PACKAGES = ("seekway", "openvino", "openvino-genai", "xllamacpp", "grpcio", "uvicorn", "uvloop", "msgspec")


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


def verdicts(results: Results) -> list[Verdict]:
    """The issue's figures, in its order."""
    by_concurrency = {level.concurrency: level for level in results.levels}
    found = [_ratio(by_concurrency[n]) for n in (8, 32) if n in by_concurrency]
    first = {way: statistics.median(times) for way, times in results.alone.first_token.items()}
    found += [
        at_most("first token alone, HTTP", first["http"], 200, "ms"),
        at_most("first token, HTTP over bare", first["http"] - first["bare"], 20, "ms"),
    ]
    if 1 in by_concurrency and 8 in by_concurrency:
        one, eight = (statistics.median(r.http for r in by_concurrency[n].rounds) for n in (1, 8))
        found.append(at_least("batching at 8 over one at a time, HTTP", eight / one, 4.0, "times"))
    weights = results.weights
    found += [
        at_most("INT8 weights of FP32's", 100 * weights.int8 / weights.fp32, 27, "%"),
        at_most(f"weights as served ({weights.quantization}) of FP32's", 100 * weights.engine / weights.fp32, 27, "%"),
        at_most("ready after the start", statistics.median(results.starts_s), 5, "s"),
    ]
    rss = max(results.levels, key=lambda level: level.concurrency).rss
    found += [
        at_most("resident memory in total", sum(rss.values()) / MIB, 1.3 * 1024, "MiB"),
        at_most("resident memory of the gateway", rss["gateway"] / MIB, 120, "MiB"),
    ]
    return found


def _ratio(level: Level) -> Verdict:
    ratio = statistics.median(r.ratio for r in level.rounds)
    return at_least(f"HTTP over bare, {level.concurrency} chats", ratio, 0.9, "times")
