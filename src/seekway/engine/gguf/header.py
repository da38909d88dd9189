"""Reads a GGUF file's header: metadata and tensor infos, never the tensors.

The format is described in ggml's ``docs/gguf.md``; versions 2 and 3, little-endian, are read.
Arrays are walked at once, which proves that they lie within the file, and decoded only when asked for:
a tokenizer's 150,000 strings cost nothing to whom wants the architecture.
"""

from __future__ import annotations

import mmap
import struct
from pathlib import Path
from typing import Final

import msgspec

from seekway.core.errors import ModelFileError
from seekway.engine.gguf.formats import FILE_TYPES, TENSOR_TYPES

_MAGIC: Final = b"GGUF"
_UINT32: Final = struct.Struct("<I")
_UINT64: Final = struct.Struct("<Q")
_SCALARS: Final = {
    0: struct.Struct("<B"),
    1: struct.Struct("<b"),
    2: struct.Struct("<H"),
    3: struct.Struct("<h"),
    4: struct.Struct("<I"),
    5: struct.Struct("<i"),
    6: struct.Struct("<f"),
    7: struct.Struct("<?"),
    10: struct.Struct("<Q"),
    11: struct.Struct("<q"),
    12: struct.Struct("<d"),
}
_STRING: Final = 8
_ARRAY: Final = 9
_MAX_KEYS: Final = 65_536
_MAX_TENSORS: Final = 1_000_000
_MAX_DIMENSIONS: Final = 8
_MAX_ARRAY_DEPTH: Final = 4

Scalar = int | float | bool | str


class TensorInfo(msgspec.Struct, frozen=True):
    """``shape`` is as the file has it, fastest dimension first; ``offset`` counts from the start of the tensor data."""

    name: str
    shape: tuple[int, ...]
    type: str
    offset: int
    n_bytes: int


class _Array(msgspec.Struct, frozen=True):
    element: int
    count: int
    start: int
    end: int


class GgufHeader:
    """What a GGUF file says of itself; :func:`read_header` makes it.

    The accessors raise ``ModelFileError`` when a key has another type than asked for, and return the default when it is absent.
    """

    def __init__(
        self, path: Path, data: bytes, values: dict[str, Scalar | _Array], tensors: tuple[TensorInfo, ...], size: int
    ) -> None:
        self.path = path
        self.tensors = tensors
        self.file_size = size
        self._data = data
        self._values = values

    @property
    def architecture(self) -> str:
        """``general.architecture``, such as ``qwen2``; raises ``ModelFileError`` when absent, as the format requires it."""
        found = self.string("general.architecture")
        if not found:
            raise ModelFileError(f"{self.path.name} does not say its architecture; download the file again.")
        return found

    @property
    def context_length(self) -> int:
        """Tokens the model was trained for; 0 when the file does not say."""
        return self.integer(f"{self.architecture}.context_length", 0)

    @property
    def quantization(self) -> str:
        """The usual name, such as ``Q4_K_M``; the type that most weights have where the file does not say."""
        name = FILE_TYPES.get(self.integer("general.file_type", -1))
        if name is not None:
            return name
        by_type: dict[str, int] = {}
        for tensor in self.tensors:
            by_type[tensor.type] = by_type.get(tensor.type, 0) + tensor.n_bytes
        return max(by_type, key=lambda type_: by_type[type_]) if by_type else "unknown"

    @property
    def weight_bytes(self) -> int:
        """Bytes of this file's tensors; a split model's other files are not counted."""
        return sum(tensor.n_bytes for tensor in self.tensors)

    @property
    def n_vocab(self) -> int:
        return self.count("tokenizer.ggml.tokens")

    def keys(self) -> tuple[str, ...]:
        return tuple(self._values)

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def string(self, key: str, default: str = "") -> str:
        value = self._values.get(key, default)
        if not isinstance(value, str):
            raise self._wrong(key, "text")
        return value

    def integer(self, key: str, default: int) -> int:
        value = self._values.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self._wrong(key, "a whole number")
        return value

    def optional_integer(self, key: str) -> int | None:
        return self.integer(key, 0) if key in self._values else None

    def optional_number(self, key: str) -> float | None:
        value = self._values.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._wrong(key, "a number")
        return float(value)

    def boolean(self, key: str, *, default: bool) -> bool:
        value = self._values.get(key, default)
        if not isinstance(value, bool):
            raise self._wrong(key, "true or false")
        return value

    def count(self, key: str) -> int:
        """Elements of an array, 0 when absent."""
        value = self._values.get(key)
        return value.count if isinstance(value, _Array) else 0

    def strings(self, key: str) -> list[str]:
        """A text array; bytes that are not UTF-8 become U+FFFD, since some tokenizers carry such pieces."""
        array = self._array(key, (_STRING,), "a list of texts")
        if array is None:
            return []
        data, position, found = self._data, array.start, list[str]()
        unpack = _UINT64.unpack_from
        for _ in range(array.count):
            start = position + 8
            position = start + unpack(data, position)[0]
            found.append(data[start:position].decode("utf-8", "replace"))
        return found

    def numbers(self, key: str) -> list[float]:
        """An array of numbers, whole ones included."""
        array = self._array(key, tuple(_SCALARS), "a list of numbers")
        if array is None:
            return []
        code = _SCALARS[array.element].format[1:]
        return [float(value) for value in struct.unpack_from(f"<{array.count}{code}", self._data, array.start)]

    def integers(self, key: str) -> list[int]:
        return [int(value) for value in self.numbers(key)]

    def check_complete(self) -> None:
        """Raise ``ModelFileError`` when tensors lie beyond the end of the file, as after a broken download."""
        end = max((tensor.offset + tensor.n_bytes for tensor in self.tensors), default=0)
        alignment = max(self.integer("general.alignment", 32), 1)
        start = -(-len(self._data) // alignment) * alignment
        if start + end > self.file_size:
            raise ModelFileError(
                f"{self.path.name} is cut short: it has {self.file_size:,} bytes and needs {start + end:,}; download it again."
            )

    def _array(self, key: str, elements: tuple[int, ...], what: str) -> _Array | None:
        value = self._values.get(key)
        if value is None:
            return None
        if not isinstance(value, _Array) or value.element not in elements:
            raise self._wrong(key, what)
        return value

    def _wrong(self, key: str, what: str) -> ModelFileError:
        return ModelFileError(f"{self.path.name}: {key} is not {what}; the file is damaged or of an unknown kind.")


def read_header(path: Path) -> GgufHeader:
    """Read ``path``'s header; raises ``ModelFileError`` when it is not a GGUF file, is cut short or contradicts itself.

    Reads and keeps the header's bytes only, whatever the file claims of its counts.
    """
    try:
        size = path.stat().st_size
        if size < 24:
            raise ModelFileError(f"{path} is not a GGUF file: it has only {size} bytes.")
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            reader = _Reader(mapped, path.name)
            values, tensors = reader.read()
            return GgufHeader(path, mapped[: reader.position], values, tensors, size)
    except OSError as error:
        raise ModelFileError(f"{path} cannot be read: {error.strerror or error}.") from error


class _Reader:
    def __init__(self, data: mmap.mmap, name: str) -> None:
        self.position = 0
        self._data = data
        self._size = len(data)
        self._name = name

    def read(self) -> tuple[dict[str, Scalar | _Array], tuple[TensorInfo, ...]]:
        if self._data[:4] != _MAGIC:
            raise ModelFileError(f"{self._name} is not a GGUF file.")
        self.position = 4
        version = self._uint32()
        if version not in (2, 3):
            swapped = int.from_bytes(version.to_bytes(4, "little"), "big")
            why = "is big-endian" if swapped in (2, 3) else f"has GGUF version {version}"
            raise ModelFileError(f"{self._name} {why}; only little-endian versions 2 and 3 are read.")
        n_tensors, n_keys = self._uint64(), self._uint64()
        if n_keys > _MAX_KEYS or n_tensors > _MAX_TENSORS:
            raise self._damaged(f"it claims {n_keys:,} keys and {n_tensors:,} tensors")
        values: dict[str, Scalar | _Array] = {}
        for _ in range(n_keys):
            key = self._string()
            values[key] = self._value(self._uint32())
        return values, tuple(self._tensor() for _ in range(n_tensors))

    def _value(self, kind: int) -> Scalar | _Array:
        if kind == _STRING:
            return self._string()
        if kind == _ARRAY:
            return self._array(0)
        scalar = _SCALARS.get(kind)
        if scalar is None:
            raise self._damaged(f"it uses the unknown value type {kind}")
        start = self._advance(scalar.size)
        return scalar.unpack_from(self._data, start)[0]

    def _array(self, depth: int) -> _Array:
        element, count = self._uint32(), self._uint64()
        start = self.position
        scalar = _SCALARS.get(element)
        if scalar is not None:
            self._advance(count * scalar.size)
        elif element == _STRING:
            if count * 8 > self._size - start:
                raise self._damaged(f"it claims a list of {count:,} texts")
            self._walk_strings(count)
        elif element == _ARRAY and depth < _MAX_ARRAY_DEPTH:
            if count * 12 > self._size - start:
                raise self._damaged(f"it claims a list of {count:,} lists")
            for _ in range(count):
                self._array(depth + 1)
        else:
            raise self._damaged(f"it has a list of the unknown type {element}")
        return _Array(element, count, start, self.position)

    def _walk_strings(self, count: int) -> None:
        data, size, position, unpack = self._data, self._size, self.position, _UINT64.unpack_from
        last = size - 8
        for _ in range(count):
            if position > last:
                raise self._damaged("it ends within a list of texts")
            position += 8 + unpack(data, position)[0]
        if position > size:
            raise self._damaged("it ends within a list of texts")
        self.position = position

    def _tensor(self) -> TensorInfo:
        name = self._string()
        n_dimensions = self._uint32()
        if n_dimensions > _MAX_DIMENSIONS:
            raise self._damaged(f"tensor {name!r} claims {n_dimensions:,} dimensions")
        shape = tuple(self._uint64() for _ in range(n_dimensions))
        code = self._uint32()
        offset = self._uint64()
        if code not in TENSOR_TYPES:
            raise ModelFileError(f"{self._name}: tensor {name!r} has the unknown type {code}; update Seekway.")
        type_name, block, block_bytes = TENSOR_TYPES[code]
        n_elements = 1
        for length in shape:
            n_elements *= length
        return TensorInfo(name, shape, type_name, offset, -(-n_elements // block) * block_bytes)

    def _uint32(self) -> int:
        return _UINT32.unpack_from(self._data, self._advance(4))[0]

    def _uint64(self) -> int:
        return _UINT64.unpack_from(self._data, self._advance(8))[0]

    def _string(self) -> str:
        length = self._uint64()
        start = self._advance(length)
        return self._data[start : start + length].decode("utf-8", "replace")

    def _advance(self, n: int) -> int:
        start = self.position
        if n > self._size - start:
            raise self._damaged("it ends within its header")
        self.position = start + n
        return start

    def _damaged(self, why: str) -> ModelFileError:
        return ModelFileError(f"{self._name} is damaged: {why}; download it again.")
