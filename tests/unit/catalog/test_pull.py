"""From a name to an installed model, on both hubs."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from seekway.catalog.entries import ENTRIES, HubName, find_entry
from seekway.catalog.hub import RemoteFile, RepositoryFiles
from seekway.catalog.pull import Request, choose_files, pull, read_name
from seekway.catalog.retry import RetryPolicy
from seekway.catalog.store import Store
from seekway.core.errors import DownloadError, ModelFileError
from seekway.core.sections.serving import CatalogSettings
from tests.fakes.hub_server import COMMIT, Answer, HubServer, send, status
from tests.fakes.tiny_gguf import write_tiny_gguf

POLICY = RetryPolicy(attempts=2, base_s=0.001, cap_s=0.002, longest_wish_s=0.002)


@pytest.fixture
def gguf(tmp_path: Path) -> bytes:
    return write_tiny_gguf(tmp_path / "tiny.gguf", width=64).read_bytes()


@pytest.fixture
async def server(gguf: bytes) -> AsyncIterator[HubServer]:
    files = {"model-Q4_K_M.gguf": gguf, "model-Q8_0.gguf": gguf + b"8", "mmproj-Q4_K_M.gguf": b"picture", "x.bin": b"x"}
    async with HubServer(files) as running:
        yield running


def settings(server: HubServer, folder: Path, hub: HubName = "huggingface") -> CatalogSettings:
    return CatalogSettings(directory=str(folder / "models"), hub=hub, mirror=server.base)


@pytest.mark.parametrize("hub", ["huggingface", "modelscope"])
async def test_a_repository_name_becomes_an_installed_model(
    server: HubServer, tmp_path: Path, gguf: bytes, hub: HubName
) -> None:
    progress: list[tuple[int, int]] = []
    chosen = settings(server, tmp_path, hub)
    model = await pull(
        "owner/model:q4_k_m", chosen, policy=POLICY, on_progress=lambda done, total: progress.append((done, total))
    )
    store = Store(chosen.directory)
    assert model == store.find("owner/model:q4_k_m")
    assert model.version == hashlib.sha256(gguf).hexdigest()[:12]
    assert model.architecture == "llama"
    assert model.source == f"{hub}:owner/model@{COMMIT[:12] if hub == 'huggingface' else 'master'}"
    assert store.path_of(model).read_bytes() == gguf
    assert progress[0] == (0, len(gguf))
    assert progress[-1] == (len(gguf), len(gguf))


async def test_an_installed_model_asks_no_hub(server: HubServer, tmp_path: Path) -> None:
    chosen = settings(server, tmp_path)
    first = await pull("owner/model:Q8_0", chosen, policy=POLICY)
    server.list_faults = [status(404)]
    assert await pull("owner/model:Q8_0", chosen, policy=POLICY) == first


async def test_split_files_are_pulled_together_and_only_the_missing_ones_again(gguf: bytes, tmp_path: Path) -> None:
    names = [f"Q4/model-Q4_K_M-0000{part}-of-00003.gguf" for part in (1, 2, 3)]
    async with HubServer(dict(zip(names, (gguf, b"part two", b"part three"), strict=True))) as server:
        chosen = settings(server, tmp_path)
        server.faults = [status(404)]
        with pytest.raises(DownloadError):
            await pull("owner/model", chosen, policy=POLICY)
        assert Store(chosen.directory).list() == ()
        server.requests = []
        model = await pull("owner/model", chosen, policy=POLICY)
    assert [file.name for file in model.files] == [name.removeprefix("Q4/") for name in names]
    assert len(model.version) == 12
    assert model.size == len(gguf) + len(b"part twopart three")


async def test_what_is_no_gguf_is_not_installed(tmp_path: Path) -> None:
    async with HubServer({"model.gguf": b"not a model"}) as server:
        chosen = settings(server, tmp_path)
        with pytest.raises(ModelFileError, match="is not a GGUF file"):
            await pull("owner/model", chosen, policy=POLICY)
        assert Store(chosen.directory).list() == ()


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (status(404), r"has no repository owner/model \(404\)"),
        (status(401), "MODELSCOPE_API_TOKEN"),
        (send(b"<html></html>", Content_Type="text/html"), "a web page"),
        (send(b"[1, 2]", Content_Type="application/json"), "not huggingface's API"),
    ],
    ids=["404", "401", "html", "other JSON"],
)
async def test_a_hub_that_refuses_is_one_sentence(
    server: HubServer, tmp_path: Path, fault: Answer, sentence: str
) -> None:
    server.list_faults = [fault]
    with pytest.raises(DownloadError, match=sentence):
        await pull("owner/model:Q8_0", settings(server, tmp_path), policy=POLICY)


async def test_a_hub_in_trouble_is_asked_again(server: HubServer, tmp_path: Path) -> None:
    server.list_faults = [status(503)]
    assert await pull("owner/model:Q8_0", settings(server, tmp_path), policy=POLICY)


async def test_the_token_goes_to_the_hub(server: HubServer, tmp_path: Path) -> None:
    await pull("owner/model:Q8_0", settings(server, tmp_path), token="secret", policy=POLICY)
    assert server.authorizations == ["Bearer secret"]


def listing(*paths: str) -> RepositoryFiles:
    return RepositoryFiles("owner/model", COMMIT, tuple(RemoteFile(path, 1, None, "http://x") for path in paths))


def chosen_paths(files: RepositoryFiles, quantization: str | None) -> list[str]:
    return [file.path for file in choose_files(files, Request("n", "owner/model", quantization=quantization))]


def test_a_quantization_is_matched_as_a_whole_word() -> None:
    files = listing("m-Q4_K.gguf", "m-Q4_K_M.gguf", "m.Q5_K_M.gguf", "UD/m-UD-Q2_K_XL.gguf")
    assert chosen_paths(files, "Q4_K") == ["m-Q4_K.gguf"]
    assert chosen_paths(files, "q5_k_m") == ["m.Q5_K_M.gguf"]
    assert chosen_paths(files, "UD-Q2_K_XL") == ["UD/m-UD-Q2_K_XL.gguf"]
    assert chosen_paths(files, None) == ["m-Q4_K_M.gguf"]


@pytest.mark.parametrize(
    ("files", "quantization", "sentence"),
    [
        (listing("README.md"), None, "no GGUF file"),
        (listing("m-Q4_0.gguf", "m-Q8_0.gguf"), "Q2_K", "it has m-Q4_0, m-Q8_0"),
        (listing("a-Q8_0.gguf", "b-Q8_0.gguf"), "Q8_0", "several files with Q8_0"),
        (listing("m-00001-of-00003.gguf", "m-00003-of-00003.gguf"), None, "2 of 3 parts"),
    ],
    ids=["none", "not there", "ambiguous", "part missing"],
)
def test_files_that_are_not_clear_are_refused(files: RepositoryFiles, quantization: str | None, sentence: str) -> None:
    with pytest.raises(DownloadError, match=sentence):
        chosen_paths(files, quantization)


def test_a_name_that_means_nothing_says_where_to_look() -> None:
    with pytest.raises(ModelFileError, match="models list --available"):
        read_name("nonsense", CatalogSettings())


def test_a_model_that_a_hub_lacks_says_so() -> None:
    with pytest.raises(DownloadError, match="not on modelscope"):
        read_name("deepseek-v2-lite", CatalogSettings(hub="modelscope"))


def test_every_entry_is_a_name_that_can_be_pulled_and_stored() -> None:
    assert len({entry.name for entry in ENTRIES}) == len(ENTRIES)
    for entry in ENTRIES:
        assert find_entry(entry.name.upper()) is entry
        assert read_name(entry.name, CatalogSettings()).repository == entry.huggingface
        assert Store("/nowhere").directory_of(entry.name).parent == Path("/nowhere")
        assert entry.memory_bytes > entry.size_bytes
