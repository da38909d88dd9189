"""The file of virtual keys: one JSON object a line, read whole, written whole.

A change is written beside the file, synced and renamed over it, so that a reader sees the old file or the new one and a crash leaves one of them;
a lock file beside it lets one writer in at a time.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Callable, Generator
from pathlib import Path

import msgspec

from seekway.core.errors import ConfigError
from seekway.security.keys import Clock, KeyRecord, KeyTable


def read_keys(path: Path) -> tuple[KeyRecord, ...]:
    """Every key in the file, in its order; none when there is no file yet.

    Raises ``ConfigError`` with the line when one is not a key, or an id or digest stands twice.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise ConfigError(f"The key file {path} cannot be read: {error.strerror}.", param="keys.file") from error
    decoder = msgspec.json.Decoder(KeyRecord)
    try:
        records = tuple(decoder.decode_lines(data))
    except msgspec.DecodeError:
        records = ()
        for number, line in enumerate(data.splitlines(), 1):
            try:
                if line.strip():
                    decoder.decode(line)
            except msgspec.DecodeError as error:
                raise ConfigError(f"{path}, line {number}: {error}.", param="keys.file") from error
    _check_unique(path, records)
    return records


def load_key_table(path: Path | None, plain_path: Path | None, clock: Clock) -> KeyTable | None:
    """The keys of the virtual keys' file and of the plain file together; None when neither is named: the gateway is open.

    Raises ``ConfigError`` when a file cannot be read or is wrong, or there is not one key in them.
    """
    if path is None and plain_path is None:
        return None
    table = KeyTable(read_keys(path) if path is not None else (), clock)
    if plain_path is not None:
        try:
            table.add_plain(plain_path.read_text("utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"The key file {plain_path} cannot be read: {error}.", param="api_key_file") from error
    if not len(table):
        named = " and ".join(str(p) for p in (path, plain_path) if p is not None)
        raise ConfigError(f"No key is in {named}; make one with seekway keys create, or write one a line.")
    return table


def change_keys(path: Path, change: Callable[[tuple[KeyRecord, ...]], tuple[KeyRecord, ...]]) -> tuple[KeyRecord, ...]:
    """Replace the file's keys by what ``change`` makes of them, alone; returns them when they are on the disk.

    Raises what ``change`` raises, and ``ConfigError`` when the file cannot be read or written; the old file then stands.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _only_writer(path):
            records = change(read_keys(path))
            _check_unique(path, records)
            _replace(path, msgspec.json.Encoder().encode_lines(records))
            return records
    except OSError as error:
        raise ConfigError(f"The key file {path} cannot be written: {error.strerror}.", param="keys.file") from error


@contextlib.contextmanager
def _only_writer(path: Path) -> Generator[None]:
    # The lock is a file of its own: the keys' file is another one after each rename.
    lock = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _replace(path: Path, data: bytes) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        # The rename itself is only safe when the folder is on the disk.
        os.fsync(folder)
    finally:
        os.close(folder)


def _check_unique(path: Path, records: tuple[KeyRecord, ...]) -> None:
    ids = {record.id for record in records}
    digests = {record.digest for record in records}
    digests.update(retired.digest for record in records for retired in record.retired)
    if len(ids) < len(records) or len(digests) < len(records) + sum(len(record.retired) for record in records):
        raise ConfigError(f"{path}: a key's id or digest stands twice; remove one of the lines.", param="keys.file")
