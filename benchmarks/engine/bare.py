"""The bare engine: OpenVINO's own pipeline in a process of its own, opened as Seekway opens it and driven by its own ``generate``.

``python -m benchmarks.engine.bare SPEC`` reads one JSON :class:`Ask` a line from standard input and writes one JSON :class:`Told` a line.
"""

from __future__ import annotations

import signal
import sys
import time
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, cast

import msgspec
import numpy as np

from seekway.engine.base import EngineOptions
from seekway.engine.openvino.engine import pipeline_options
from seekway.engine.openvino.kv_cache import blocks_within
from seekway.engine.openvino.pipeline import open_bare
from seekway.engine.openvino.shape import read_shape
from seekway.engine.spec import decode_spec

if TYPE_CHECKING:
    import openvino


class Ask(msgspec.Struct, frozen=True):
    """``step_by_step`` runs a lone prompt by the pipeline's ``step``, so that the first token's time is seen."""

    prompts: list[list[int]]
    max_tokens: int
    end_ids: list[int]
    step_by_step: bool = False


class Told(msgspec.Struct, frozen=True):
    """Wall-clock seconds, ``first_token`` only where asked; the length of each answer without its end."""

    seconds: float
    lengths: list[int]
    first_token: float = 0.0


class _Handle(Protocol):
    def can_read(self) -> bool: ...

    def read(self) -> dict[int, Any]: ...


class _Result(Protocol):
    m_generation_ids: list[list[int]]


class _Pipeline(Protocol):
    def generate(self, prompts: list[openvino.Tensor], configs: list[Any]) -> list[_Result]: ...

    def add_request(self, number: int, prompt: openvino.Tensor, config: Any) -> _Handle: ...

    def step(self) -> None: ...

    def has_non_finished_requests(self) -> bool: ...


class Bare:
    """One loaded model."""

    def __init__(self, options: EngineOptions) -> None:
        shape = read_shape(options.model_path)
        blocks = blocks_within(shape, options.kv_cache, options.kv_cache_bytes)
        self._pipeline = cast("_Pipeline", open_bare(pipeline_options(options, blocks)))
        self._number = 0

    def answer(self, ask: Ask) -> Told:
        prompts = [_tensor(prompt) for prompt in ask.prompts]
        configs = [_config(ask) for _ in prompts]
        if ask.step_by_step:
            return self._stepped(prompts[0], configs[0])
        begun = time.perf_counter()
        results = self._pipeline.generate(prompts, configs)
        seconds = time.perf_counter() - begun
        ends = set(ask.end_ids)
        return Told(seconds, [len(_without_end(result.m_generation_ids[0], ends)) for result in results])

    def _stepped(self, prompt: openvino.Tensor, config: Any) -> Told:
        self._number += 1
        tokens, first = 0, 0.0
        begun = time.perf_counter()
        handle = self._pipeline.add_request(self._number, prompt, config)
        while self._pipeline.has_non_finished_requests():
            self._pipeline.step()
            while handle.can_read():
                first = first or time.perf_counter()
                tokens += sum(len(piece.generated_ids) for piece in handle.read().values())
        return Told(time.perf_counter() - begun, [tokens], first - begun)


def _tensor(prompt: list[int]) -> openvino.Tensor:
    import openvino

    return openvino.Tensor(np.array([prompt], dtype=np.int64))


def _config(ask: Ask) -> Any:
    import openvino_genai as genai

    config = genai.GenerationConfig()
    config.max_new_tokens = ask.max_tokens
    config.do_sample = False
    config.stop_token_ids = set(ask.end_ids)
    config.set_eos_token_id(min(ask.end_ids))
    return config


def _without_end(tokens: list[int], ends: set[int]) -> list[int]:
    return tokens[:-1] if tokens and tokens[-1] in ends else tokens


def serve(spec: str, asked: BinaryIO, told: BinaryIO) -> None:
    options = decode_spec(spec).options
    assert options is not None
    bare = Bare(options)
    bare.answer(Ask([[0]], 1, [0]))
    _tell(told, Told(0.0, []))
    for line in asked:
        _tell(told, bare.answer(msgspec.json.decode(line, type=Ask)))


def _tell(told: BinaryIO, what: Told) -> None:
    told.write(msgspec.json.encode(what) + b"\n")
    told.flush()


if __name__ == "__main__":
    # Ctrl-C reaches the whole group; the parent closes the pipe, and that ends this.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    serve(sys.argv[1], sys.stdin.buffer, sys.stdout.buffer)
