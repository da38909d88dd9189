"""A model file is loaded by the engine that suits it, and described truthfully."""

from __future__ import annotations

from pathlib import Path

import pytest

from seekway.core.errors import ModelFileError, StartupError
from seekway.engine import loading
from seekway.engine.base import Engine, EngineOptions
from seekway.engine.gguf.header import read_header
from seekway.engine.loading import engine_for, load_local_model, sampling_defaults
from seekway.engine.plan import SamplingDefaults
from seekway.engine.spec import LoadProgress, LocalModelSpec, SamplingAdvice
from tests.fakes.engine import FakeEngine
from tests.fakes.gguf_file import byte_level_values, write_gguf
from tests.fakes.local_model import THINKING_TEMPLATE


def spec(path: Path | None) -> LocalModelSpec:
    return LocalModelSpec("m", "abc", "test", options=None if path is None else EngineOptions(path))


@pytest.mark.parametrize(
    ("asked", "architecture", "taken"),
    [
        ("auto", "qwen2", "openvino"),
        ("auto", "llama", "openvino"),
        ("auto", "deepseek2", "llamacpp"),
        ("llamacpp", "qwen2", "llamacpp"),
        ("openvino", "deepseek2", "openvino"),
    ],
)
def test_the_architecture_chooses_the_engine_unless_one_is_named(
    asked: loading.EngineKind, architecture: str, taken: str
) -> None:
    assert engine_for(asked, architecture) == taken


async def test_a_loaded_model_is_described_by_its_file_and_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fake(kind: str, options: EngineOptions, progress: LoadProgress) -> Engine:
        progress(f"loading {kind} from {options.model_path.name}", 0.5)
        return FakeEngine([], max_top_logprobs=5)

    monkeypatch.setattr(loading, "_load_engine", fake)
    steps: list[tuple[str, float]] = []
    path = write_gguf(tmp_path / "m.gguf", byte_level_values(THINKING_TEMPLATE))
    model = await load_local_model(spec(path), lambda step, fraction: steps.append((step, fraction)))
    info = (await model.models())[0]
    assert (info.id, info.version, info.owned_by, info.architecture, info.quantization) == (
        "m",
        "abc",
        "Tests",
        "qwen2",
        "Q8_0",
    )
    assert (info.engine, info.context_length, info.weight_bytes) == ("fake", 4096, 1000)
    assert set(info.capabilities) == {"completion", "json", "logprobs", "top_logprobs", "chat", "tools", "reasoning"}
    assert [fraction for _, fraction in steps] == sorted(fraction for _, fraction in steps)
    assert steps[-1] == ("ready", 1.0)


async def test_a_missing_file_and_a_missing_path_are_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="cannot be read"):
        await load_local_model(spec(tmp_path / "none.gguf"), lambda _step, _fraction: None)
    with pytest.raises(StartupError, match="no file"):
        await load_local_model(spec(None), lambda _step, _fraction: None)


def test_the_files_recommended_sampling_is_taken(tmp_path: Path) -> None:
    values = byte_level_values() | {"general.sampling.temp": 0.5, "general.sampling.top_k": 20}
    assert sampling_defaults(read_header(write_gguf(tmp_path / "m.gguf", values))) == SamplingDefaults(
        0.5, 1.0, 20, 0.0
    )


def test_advice_holds_where_the_file_says_nothing(tmp_path: Path) -> None:
    advice = SamplingAdvice(temperature=0.6, top_p=0.95)
    silent = read_header(write_gguf(tmp_path / "silent.gguf", byte_level_values()))
    assert sampling_defaults(silent, advice) == SamplingDefaults(temperature=0.6, top_p=0.95)
    telling = byte_level_values() | {"general.sampling.temp": 0.5}
    found = sampling_defaults(read_header(write_gguf(tmp_path / "telling.gguf", telling)), advice)
    assert found == SamplingDefaults(temperature=0.5, top_p=0.95)
