"""``python -m benchmarks.engine``: what gateway and model service cost over the engine, and how the promises stand."""

from __future__ import annotations

import argparse
import datetime
import sys
import time
from pathlib import Path

import msgspec

from benchmarks.engine import report
from benchmarks.engine.measure import Bench, Say
from benchmarks.engine.processes import bare_engine, served
from benchmarks.engine.prompts import Prompts
from benchmarks.engine.results import PACKAGES, Results, Weights
from benchmarks.machine import Machine
from seekway.app.local_models import local_specs
from seekway.core.settings import load_settings
from seekway.engine.gguf.header import read_header
from seekway.engine.openvino.shape import read_shape

PROMPT_TOKENS, ANSWER_TOKENS = 256, 128
RESULTS = Path(__file__).parent.parent / "results"
_INT8_BITS = 8.5
"""Bits of a weight in Q8_0: 32 of 8 bits and a float16 scale."""


class Extent(msgspec.Struct, frozen=True):
    """How much is run; ``short`` is for a machine that has better things to do."""

    concurrencies: tuple[int, ...]
    rounds: int
    samples: int
    starts: int
    warm_up: int


FULL = Extent((1, 4, 8, 16, 32), rounds=5, samples=15, starts=5, warm_up=32)
SHORT = Extent((1, 8, 32), rounds=1, samples=3, starts=1, warm_up=8)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engine", description=__doc__)
    parser.add_argument("--short", action="store_true", help="one round, about two minutes")
    parser.add_argument("--rounds", type=int, help="rounds over all concurrencies")
    parser.add_argument("--out", type=Path, default=RESULTS, help="directory for the results")
    arguments = parser.parse_args()
    extent = SHORT if arguments.short else FULL
    if arguments.rounds:
        extent = msgspec.structs.replace(extent, rounds=arguments.rounds)
    command = "python -m benchmarks.engine" + (" --short" if arguments.short else "")
    command += f" --rounds {arguments.rounds}" if arguments.rounds else ""
    try:
        results = run(extent, command, _clocked_say())
    except KeyboardInterrupt:
        print("\nstopped; nothing was written", file=sys.stderr)
        sys.exit(130)
    name = f"engine-{results.date[:10]}" + ("-short" if arguments.short else "")
    write(results, arguments.out, name)
    print(f"\n{report.terminal(results)}\n\nwritten to {arguments.out / name}.json, .md and .svg")


def run(extent: Extent, command: str, say: Say) -> Results:
    """Everything, in one go; every process it starts is gone when it returns."""
    machine = Machine.here(PACKAGES)
    spec = next(spec for spec in local_specs(load_settings()) if spec.options is not None)
    assert spec.options is not None
    prompts = Prompts(spec.options.model_path, PROMPT_TOKENS)
    starts = time_starts(extent.starts, say)
    with bare_engine(spec) as bare, served() as running:
        starts.append(running.ready_s)
        bench = Bench(bare, running, spec.name, prompts.end_ids, ANSWER_TOKENS, say)
        say("warming up")
        bench.warm_up(prompts.make(extent.warm_up))
        alone = bench.alone(extent.samples, prompts.make)
        levels = bench.levels(extent.concurrencies, extent.rounds, prompts.make)
    return Results(
        date=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        command=command,
        machine=machine,
        model=spec.name,
        prompt_tokens=PROMPT_TOKENS,
        answer_tokens=ANSWER_TOKENS,
        levels=levels,
        alone=alone,
        starts_s=starts,
        weights=weigh(spec.options.model_path),
    )


def time_starts(count: int, say: Say) -> list[float]:
    """Seconds from the start of ``seekway up`` until it says that it is ready, one fewer than ``count``: the last is the one measured on."""
    times: list[float] = []
    for number in range(count - 1):
        with served() as running:
            times.append(running.ready_s)
        say(f"start {number + 1}/{count}: ready after {times[-1]:.2f} s")
    return times


def weigh(path: Path) -> Weights:
    header = read_header(path)
    sizes = [_product(tensor.shape) for tensor in header.tensors]
    # One-dimensional tensors, the norms, stay in FP32 in every quantization.
    bits = [_INT8_BITS if len(tensor.shape) > 1 else 32.0 for tensor in header.tensors]
    return Weights(
        quantization=header.quantization,
        as_served=header.weight_bytes,
        int8=int(sum(size * bit for size, bit in zip(sizes, bits, strict=True)) / 8),
        fp32=4 * sum(sizes),
        engine=read_shape(path).weight_bytes,
    )


def write(results: Results, folder: Path, name: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")
    (folder / f"{name}.md").write_text(report.markdown(results, f"{name}.svg"), "utf-8")
    (folder / f"{name}.svg").write_text(report.svg(results.levels), "utf-8")


def _product(shape: tuple[int, ...]) -> int:
    size = 1
    for length in shape:
        size *= length
    return size


def _clocked_say() -> Say:
    begun = time.monotonic()
    return lambda text: print(f"{time.monotonic() - begun:6.1f} s  {text}", flush=True)


if __name__ == "__main__":
    main()
