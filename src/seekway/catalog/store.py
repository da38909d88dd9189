"""Installed models: a directory each, with the files and a manifest that is written last.

::

    <catalog.directory>/
      deepseek-r1@1.5b/
        model.json                                   the manifest; without it the model is not installed
        DeepSeek-R1-Distill-Qwen-1.5B-Q4_K_M.gguf
      deepseek-r1@7b/
        ….gguf.part, ….gguf.part.json                a download that was broken off and goes on next time

A directory's name is the model's with ``/`` as ``+`` and ``:`` as ``@``, which no name may hold.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from pathlib import Path

import msgspec

from seekway.core.errors import ModelFileError

MANIFEST = "model.json"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)?(:[A-Za-z0-9][A-Za-z0-9._-]*)?")
_HASH_BLOCK = 4 * 1024 * 1024


class InstalledFile(msgspec.Struct, frozen=True):
    name: str
    size: int
    sha256: str


class InstalledModel(msgspec.Struct, frozen=True):
    """A manifest.

    ``files`` lie beside it, the first part of a split model first: that is the one an engine is given.
    ``version`` is the first 12 hex digits of the file's SHA-256, or of the SHA-256 over the parts' digests.
    """

    name: str
    version: str
    source: str
    architecture: str
    files: tuple[InstalledFile, ...]
    quantization: str | None = None
    licence: str | None = None

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)


class Store:
    """The models under one directory; making one touches nothing."""

    def __init__(self, directory: str | Path) -> None:
        self.directory = Path(directory).expanduser()

    def directory_of(self, name: str) -> Path:
        """Where ``name`` lies or would lie; raises ``ModelFileError`` for what is no model's name, ``..`` among it."""
        if not _NAME.fullmatch(name):
            raise ModelFileError(
                f"{name!r} is not a model's name; names look like deepseek-r1:1.5b or owner/repository:Q4_K_M."
            )
        return self.directory / name.replace("/", "+").replace(":", "@")

    def path_of(self, model: InstalledModel) -> Path:
        return self.directory_of(model.name) / model.files[0].name

    def find(self, name: str) -> InstalledModel | None:
        """The installed model of that name; None when it is not there or a file of it is gone or has another size."""
        folder = self.directory_of(name)
        model = _read_manifest(folder / MANIFEST)
        if model is None or model.name != name:
            return None
        return model if all(_has_size(folder / file.name, file.size) for file in model.files) else None

    def list(self) -> tuple[InstalledModel, ...]:
        """All whole models, by name."""
        if not self.directory.is_dir():
            return ()
        manifests = (_read_manifest(path) for path in sorted(self.directory.glob(f"*/{MANIFEST}")))
        return tuple(
            model for model in manifests if model is not None and _NAME.fullmatch(model.name) and self.find(model.name)
        )

    def add(self, model: InstalledModel) -> None:
        """Write the manifest, which makes the model installed; its files must lie in ``directory_of`` by then."""
        write_atomically(
            self.directory_of(model.name) / MANIFEST, msgspec.json.format(msgspec.json.encode(model)) + b"\n"
        )

    def remove(self, name: str) -> int:
        """Delete the model or what a broken-off pull left of it; returns the bytes freed.

        Raises ``ModelFileError`` when there is nothing of that name, or when it does not lie inside the store's directory.
        """
        folder = self.directory_of(name)
        if folder.is_symlink() or folder.resolve().parent != self.directory.resolve():
            raise ModelFileError(f"{folder} is a link out of {self.directory}; remove it by hand.")
        if not folder.is_dir():
            raise ModelFileError(f"No model {name} is installed; see seekway models list.")
        freed = sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir() or path.is_symlink())
        (folder / MANIFEST).unlink(missing_ok=True)
        try:
            shutil.rmtree(folder)
        except OSError as error:
            raise ModelFileError(f"{folder} cannot be removed: {error.strerror}.") from error
        return freed


def version_of(files: tuple[InstalledFile, ...]) -> str:
    if len(files) == 1:
        return files[0].sha256[:12]
    return hashlib.sha256("".join(file.sha256 for file in files).encode()).hexdigest()[:12]


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, read in blocks."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_HASH_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def fingerprint(path: Path, cache: Path) -> str:
    """SHA-256 of a file that is not ours, remembered in the JSON file ``cache`` by path, size and time of change.

    Hashing 40 GB takes half a minute; a start must not.
    """
    status = path.stat()
    key = f"{path.resolve()}:{status.st_size}:{status.st_mtime_ns}"
    known = _read_known(cache)
    if key not in known:
        known = {old: digest for old, digest in known.items() if not old.startswith(f"{path.resolve()}:")}
        known[key] = sha256_of(path)
        cache.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(cache, msgspec.json.encode(known))
    return known[key]


def write_atomically(path: Path, data: bytes) -> None:
    """Write ``path`` so that after a crash it holds the old content or the new, never half."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    sync_directory(path.parent)


def sync_file(path: Path) -> None:
    """Force a written file's bytes to disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def sync_directory(path: Path) -> None:
    """Make renames in a directory outlive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _has_size(path: Path, size: int) -> bool:
    try:
        return path.stat().st_size == size
    except OSError:
        return False


def _read_manifest(path: Path) -> InstalledModel | None:
    try:
        model = msgspec.json.decode(path.read_bytes(), type=InstalledModel)
    except (OSError, msgspec.DecodeError):
        return None
    # A manifest is data from a disk: a file name in it must not lead elsewhere.
    plain = all(file.name and Path(file.name).name == file.name for file in model.files)
    return model if model.files and plain else None


def _read_known(cache: Path) -> dict[str, str]:
    try:
        return msgspec.json.decode(cache.read_bytes(), type=dict[str, str])
    except (OSError, msgspec.DecodeError):
        return {}
