"""DeepSeek's own architecture runs: a tiny DeepSeek-V3 equals transformers token for token through the whole HTTP path."""

from __future__ import annotations

import itertools
from collections.abc import Generator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from seekway.engine.gguf.header import read_header
from seekway.engine.gguf.tokenizer import TextTokenizer
from tests.e2e.served import Served

pytestmark = [pytest.mark.timeout(400)]

TINY = Path(__file__).parents[1] / "fixtures" / "tiny"
TOML = f"""
[engine]
kv_cache = "f16"

[[models]]
name = "deepseek-v3"
path = "{TINY / "deepseek-v3.gguf"}"

[[models]]
name = "qwen2"
path = "{TINY / "qwen2.gguf"}"

[[models]]
name = "qwen2-llamacpp"
path = "{TINY / "qwen2.gguf"}"
engine = "llamacpp"
"""


class Step(msgspec.Struct):
    """One token of transformers' greedy answer; ``top`` are the likeliest (id, log-probability), best first."""

    id: int
    logprob: float
    top: list[tuple[int, float]]

    @property
    def lead(self) -> float:
        return self.top[0][1] - self.top[1][1]


class Case(msgspec.Struct):
    text: str
    prompt: list[int]
    steps: list[Step]


class Reference(msgspec.Struct):
    cases: list[Case]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Generator[Served]:
    folder = tmp_path_factory.mktemp("tiny")
    with Served(folder, folder / "models", TOML) as running:
        yield running


def greedy(served: Served, model: str, case: Case) -> Any:
    body = {"model": model, "prompt": case.prompt, "temperature": 0, "max_tokens": len(case.steps), "logprobs": 0}
    status, answer = served.post("/v1/completions", body)
    assert status == 200, answer
    return answer["choices"][0]


@pytest.mark.parametrize(
    ("model", "file", "bound", "least"),
    [
        ("deepseek-v3", "deepseek-v3", 0.02, 48),
        ("qwen2-llamacpp", "qwen2", 0.02, 48),
        ("qwen2", "qwen2", 0.12, 2),  # OpenVINO computes in bfloat16 where the processor can
    ],
)
def test_greedy_tokens_equal_transformers(tiny: Served, model: str, file: str, bound: float, least: int) -> None:
    """``bound`` is the largest difference of log-probabilities; a token that leads by less may differ, and so what follows it."""
    tokenizer = TextTokenizer(read_header(TINY / f"{file}.gguf"))
    reference = msgspec.json.decode((TINY / f"{file}.json").read_bytes(), type=Reference)
    for case in reference.cases:
        logprobs = greedy(tiny, model, case)["logprobs"]
        sure = list(itertools.takewhile(lambda step: step.lead > bound, case.steps))
        assert len(sure) >= least
        assert logprobs["tokens"][: len(sure)] == [tokenizer.token_text(step.id) for step in sure]
        pairs = zip(logprobs["token_logprobs"], sure, strict=False)
        assert max(abs(ours - step.logprob) for ours, step in pairs) < bound


def test_each_architecture_has_its_engine(tiny: Served) -> None:
    _, listed = tiny.get("/api/v1/models")
    engines = {entry["model"]["id"]: entry["model"]["engine"] for entry in listed["models"]}
    assert engines == {"deepseek-v3": "llamacpp", "qwen2": "openvino", "qwen2-llamacpp": "llamacpp"}


def test_thinking_of_a_deepseek_template_stands_apart(tiny: Served) -> None:
    question = [{"role": "user", "content": "1+1?"}]
    body = {"model": "deepseek-v3", "messages": question, "temperature": 0, "max_tokens": 24}
    status, answer = tiny.post("/v1/chat/completions", body)
    assert status == 200, answer
    message = answer["choices"][0]["message"]
    assert message["reasoning_content"], "the template opens <think>, so a model that never closes it only thinks"
    assert not message["content"]
    assert answer["usage"]["completion_tokens_details"]["reasoning_tokens"] > 0
