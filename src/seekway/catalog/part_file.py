"""A file on its way: ``NAME.part`` with the bytes so far and ``NAME.part.json`` with what they belong to.

The final name appears by one atomic rename, after length and SHA-256 were found right and the bytes were forced to disk.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import BinaryIO, Self

import msgspec

from seekway.catalog.store import sync_directory, write_atomically
from seekway.core.errors import DownloadError

_BLOCK = 4 * 1024 * 1024


class PartState(msgspec.Struct, frozen=True):
    """What ``NAME.part`` is a part of; another ``size`` or ``sha256`` than asked for makes it worthless."""

    size: int
    sha256: str | None
    etag: str | None = None


class PartFile:
    """The bytes of one file that came so far, hashed as they come; made by ``open``."""

    def __init__(self, target: Path, file: BinaryIO, state: PartState) -> None:
        self.target = target
        self.path = part_path(target)
        self.received = 0
        self._file = file
        self._state = state
        self._digest = hashlib.sha256()

    @classmethod
    def open(cls, target: Path, size: int, sha256: str | None) -> Self:
        """Open the part without looking into it; ``take_up`` comes next. Raises ``OSError``."""
        target.parent.mkdir(parents=True, exist_ok=True)
        return cls(target, part_path(target).open("ab"), PartState(size, sha256))

    def take_up(self) -> None:
        """Go on with what an earlier pull left, hashing it again, or begin anew; may read gigabytes."""
        left = _read_state(_state_path(self.target))
        wanted = (self._state.size, self._state.sha256)
        if left is None or (left.size, left.sha256) != wanted or self.path.stat().st_size > left.size:
            self.restart()
            return
        self._state = left
        with self.path.open("rb") as file:
            while block := file.read(_BLOCK):
                self._digest.update(block)
                self.received += len(block)

    @property
    def etag(self) -> str | None:
        return self._state.etag

    @property
    def missing(self) -> int:
        return self._state.size - self.received

    @property
    def resumable(self) -> bool:
        """Whether the bytes so far can be trusted to be the beginning of what the server has now."""
        return self.received > 0 and (self._state.etag is not None or self._state.sha256 is not None)

    def restart(self) -> None:
        """Throw the bytes so far away."""
        self._file.truncate(0)
        self._digest = hashlib.sha256()
        self.received = 0

    def belongs_to(self, etag: str | None) -> None:
        """Remember the server's tag before the first byte of it is written."""
        self._state = PartState(self._state.size, self._state.sha256, etag)
        write_atomically(_state_path(self.target), msgspec.json.encode(self._state))

    def append(self, block: bytes) -> None:
        try:
            self._file.write(block)
        except OSError as error:
            raise DownloadError(f"{self.path} cannot be written: {error.strerror}.") from error
        self._digest.update(block)
        self.received += len(block)

    def matches(self) -> bool:
        """Whether all bytes are there and have the SHA-256 that was promised, if one was."""
        return self.missing == 0 and self._state.sha256 in (None, self._digest.hexdigest())

    def finish(self) -> str:
        """Give the file its final name; returns its SHA-256."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self.close()
        self.path.replace(self.target)
        sync_directory(self.target.parent)
        _state_path(self.target).unlink(missing_ok=True)
        return self._digest.hexdigest()

    def close(self) -> None:
        self._file.close()


def part_path(target: Path) -> Path:
    return target.with_name(f"{target.name}.part")


def _state_path(target: Path) -> Path:
    return target.with_name(f"{target.name}.part.json")


def _read_state(path: Path) -> PartState | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=PartState)
    except (OSError, msgspec.DecodeError):
        return None
