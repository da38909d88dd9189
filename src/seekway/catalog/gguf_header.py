"""What is to know of a GGUF file without loading it: is it one, and which architecture.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, versions 2 and 3, little-endian.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

from seekway.core.errors import ModelFileError

_MAGIC = b"GGUF"
_SCALAR_BYTES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_STRING = 8
_ARRAY = 9
_MOST_KEYS = 10_000
_MOST_STRING = 64 * 1024 * 1024


def read_architecture(path: Path) -> str:
    """``general.architecture`` of the file, e.g. ``qwen2``; it is nearly always the first key, so this reads a few bytes.

    Raises ``ModelFileError`` when the file is missing, is no GGUF or names no architecture.
    """
    try:
        with path.open("rb") as file:
            return _architecture(file, path)
    except FileNotFoundError as error:
        raise ModelFileError(f"{path} does not exist.") from error
    except OSError as error:
        raise ModelFileError(f"{path} cannot be read: {error.strerror}.") from error
    except (struct.error, KeyError, UnicodeDecodeError, ValueError) as error:
        raise ModelFileError(f"{path} is not a whole GGUF file; pull or copy it again.") from error


def _architecture(file: BinaryIO, path: Path) -> str:
    if file.read(4) != _MAGIC:
        raise ModelFileError(f"{path} is not a GGUF file.")
    version = _unpack(file, "<I")
    if version not in (2, 3):
        raise ModelFileError(f"{path} is GGUF version {version}; versions 2 and 3 can be read.")
    _unpack(file, "<Q")
    for _ in range(min(_unpack(file, "<Q"), _MOST_KEYS)):
        key = _string(file)
        kind = _unpack(file, "<I")
        if key == "general.architecture" and kind == _STRING:
            return _string(file)
        _skip(file, kind)
    raise ModelFileError(f"{path} names no architecture; it is not a language model.")


def _unpack(file: BinaryIO, form: str) -> int:
    (value,) = struct.unpack(form, file.read(struct.calcsize(form)))
    return int(value)


def _string(file: BinaryIO) -> str:
    length = _unpack(file, "<Q")
    if length > _MOST_STRING:
        raise ValueError(length)
    data = file.read(length)
    if len(data) != length:
        raise ValueError(length)
    return data.decode("utf-8")


def _skip(file: BinaryIO, kind: int) -> None:
    if kind == _STRING:
        _string(file)
    elif kind == _ARRAY:
        inner = _unpack(file, "<I")
        count = _unpack(file, "<Q")
        if inner == _STRING:
            for _ in range(count):
                _string(file)
        else:
            file.seek(_SCALAR_BYTES[inner] * count, 1)
    else:
        file.seek(_SCALAR_BYTES[kind], 1)
