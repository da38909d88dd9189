"""What a model on its way needs of the disk: room, and nobody else at the same place."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from seekway.core.errors import DownloadError

_SPARE_BYTES = 64 * 1024 * 1024


@contextmanager
def locked(path: Path) -> Generator[None]:
    """Hold ``path`` against other processes; it frees itself when the process dies.

    Raises ``DownloadError`` when another holds it or the directory cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.open("ab")
    except OSError as error:
        raise DownloadError(f"{path.parent} cannot be written: {error.strerror}; set catalog.directory.") from error
    with lock as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise DownloadError("Another seekway is pulling this model; wait for it or end it.") from error
        yield


def check_space(directory: Path, needed: int) -> None:
    """Raises ``DownloadError`` unless ``needed`` bytes and some spare fit on the disk of ``directory``."""
    existing = next(path for path in (directory, *directory.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    if free < needed + _SPARE_BYTES:
        raise DownloadError(
            f"{directory} has {free / 1e9:.1f} GB free and the model needs {(needed + _SPARE_BYTES) / 1e9:.1f} GB more; free space or set catalog.directory."
        )
