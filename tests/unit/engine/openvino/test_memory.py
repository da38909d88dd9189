"""Too little memory is said before anything is loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from seekway.core.errors import InsufficientMemory
from seekway.engine.base import EngineOptions
from seekway.engine.openvino import engine

TINY = Path(__file__).parents[3] / "fixtures" / "tiny" / "qwen2.gguf"


async def test_a_model_that_does_not_fit_is_refused_before_it_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(*_: object) -> None:
        pytest.fail("the pipeline was opened")

    monkeypatch.setattr(engine, "available_bytes", lambda: 200 * 1024 * 1024)
    monkeypatch.setattr(engine, "open_pipeline", opened)
    with pytest.raises(InsufficientMemory, match=r"qwen2\.gguf needs 0\.\d GiB of memory and 0\.2 GiB are free"):
        await engine.load_openvino(EngineOptions(TINY, kv_cache_bytes=64 * 1024 * 1024), lambda _step, _done: None)
