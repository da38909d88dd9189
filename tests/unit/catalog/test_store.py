"""What is installed is whole, and nothing outside the store is touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from seekway.catalog.store import InstalledFile, InstalledModel, Store, fingerprint, sha256_of, version_of
from seekway.core.errors import ModelFileError


def install(store: Store, name: str, content: bytes = b"weights") -> InstalledModel:
    folder = store.directory_of(name)
    folder.mkdir(parents=True)
    (folder / "m.gguf").write_bytes(content)
    files = (InstalledFile("m.gguf", len(content), sha256_of(folder / "m.gguf")),)
    model = InstalledModel(name, version_of(files), "test", "llama", files)
    store.add(model)
    return model


def test_an_added_model_is_found_and_listed(tmp_path: Path) -> None:
    store = Store(tmp_path)
    models = [install(store, name) for name in ("a:1b", "owner/repo:Q4_K_M")]
    assert store.list() == tuple(models)
    assert store.find("a:1b") == models[0]
    assert store.path_of(models[1]).read_bytes() == b"weights"


def test_a_model_whose_file_was_cut_is_not_installed(tmp_path: Path) -> None:
    store = Store(tmp_path)
    model = install(store, "a:1b")
    store.path_of(model).write_bytes(b"weig")
    assert store.find("a:1b") is None
    assert store.list() == ()


@pytest.mark.parametrize(
    "name", ["..", "../x", "a/../b", "/etc", "a/b/c", "", ".hidden", "a:b:c", "a\\b", "a+b", "a@b"]
)
def test_names_that_lead_elsewhere_are_refused(tmp_path: Path, name: str) -> None:
    store = Store(tmp_path)
    with pytest.raises(ModelFileError, match="not a model's name"):
        store.remove(name)


def test_a_manifest_cannot_name_a_file_elsewhere(tmp_path: Path) -> None:
    store = Store(tmp_path / "models")
    (tmp_path / "secret.gguf").write_bytes(b"weights")
    folder = store.directory_of("evil")
    folder.mkdir(parents=True)
    model = InstalledModel("evil", "1", "test", "llama", (InstalledFile("../../secret.gguf", 7, "0"),))
    store.add(model)
    assert store.find("evil") is None


def test_removing_frees_the_bytes_and_a_second_time_says_so(tmp_path: Path) -> None:
    store = Store(tmp_path)
    install(store, "a:1b")
    assert store.remove("a:1b") >= len(b"weights")
    assert store.list() == ()
    with pytest.raises(ModelFileError, match="No model a:1b"):
        store.remove("a:1b")


def test_a_link_out_of_the_store_is_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("x")
    store = Store(tmp_path / "models")
    store.directory.mkdir()
    store.directory_of("link").symlink_to(outside)
    with pytest.raises(ModelFileError, match="link out of"):
        store.remove("link")
    assert (outside / "precious").exists()


def test_a_file_is_hashed_once_until_it_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, cache = tmp_path / "m.gguf", tmp_path / "cache" / "hashes.json"
    file.write_bytes(b"one")
    first = fingerprint(file, cache)
    assert first == sha256_of(file)
    with monkeypatch.context() as patch:
        patch.delattr("seekway.catalog.store.sha256_of")
        assert fingerprint(file, cache) == first
    file.write_bytes(b"other")
    assert fingerprint(file, cache) == sha256_of(file) != first
