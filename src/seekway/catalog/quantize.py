"""Make a GGUF file smaller: tensor by tensor, so that memory holds one tensor and not a model.

ggml's own quantizer does the arithmetic (through :mod:`seekway.catalog.ggml_library`), the ``gguf`` package reads and writes the file.
Without an importance matrix, as llama.cpp's tool does by default.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import msgspec
import numpy as np
import numpy.typing as npt
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType, GGUFValueType, LlamaFileType
from gguf.gguf_reader import GGUFReader, ReaderTensor
from gguf.gguf_writer import GGUFWriter
from gguf.quants import dequantize

from seekway.catalog.disk import check_space
from seekway.catalog.ggml_library import GgmlLibrary
from seekway.catalog.quantization_mix import Choice, Target, choose_type, mix_of
from seekway.catalog.store import InstalledFile, InstalledModel, Store, sha256_of, sync_file, version_of
from seekway.core.errors import ModelFileError
from seekway.engine.gguf.header import read_header

OnQuantized = Callable[[int, int, str], None]
"""Called with the parameters done, all parameters, and the tensor's name."""

_CHUNK_VALUES = 16 * 1024 * 1024
_PLAIN = (GGMLQuantizationType.F32, GGMLQuantizationType.F16, GGMLQuantizationType.BF16)
_OWN_KEYS = ("general.architecture", "general.file_type", "general.quantization_version")


class Quantized(msgspec.Struct, frozen=True):
    """What came of it; bytes are those of the tensors as they lie in memory."""

    path: Path
    parameters: int
    bytes_before: int
    bytes_after: int
    notes: tuple[str, ...]

    @property
    def bytes_fp32(self) -> int:
        return 4 * self.parameters


def quantize(
    source: Path, target: Path, to: Target, on_progress: OnQuantized = lambda done, total, name: None
) -> Quantized:
    """Write ``source`` as ``target`` with weights of type ``to``; blocks while it works.

    Raises ``ModelFileError`` when the source is no whole GGUF or one part of several, or when the target exists.
    The target appears when it is complete.
    """
    architecture = read_header(source).architecture
    if target.exists():
        raise ModelFileError(f"{target} exists; name another file with --output or remove it.")
    reader = _open(source)
    if "split.count" in reader.fields and int(reader.fields["split.count"].contents()) > 1:
        raise ModelFileError(f"{source} is one of several parts; join them with llama.cpp's gguf-split first.")
    plan, notes = _plan(reader, architecture, to)
    target.parent.mkdir(parents=True, exist_ok=True)
    check_space(target.parent, sum(_nbytes(tensor, choice.type) for tensor, choice in plan))
    part = target.with_name(f".{target.name}.part")
    try:
        _write(reader, part, plan, architecture, mix_of(to).file_type, on_progress)
        sync_file(part)
        part.replace(target)
    except OSError as error:
        raise ModelFileError(f"{target} cannot be written: {error.strerror}.") from error
    finally:
        part.unlink(missing_ok=True)
    return Quantized(
        path=target,
        parameters=sum(int(tensor.n_elements) for tensor, _ in plan),
        bytes_before=sum(int(tensor.n_bytes) for tensor, _ in plan),
        bytes_after=sum(_nbytes(tensor, choice.type) for tensor, choice in plan),
        notes=notes,
    )


def quantize_installed(
    store: Store, model: InstalledModel, to: Target, on_progress: OnQuantized = lambda done, total, name: None
) -> tuple[InstalledModel, Quantized]:
    """Quantize an installed model into one called ``NAME-TO``, which is installed beside it.

    Raises ``ModelFileError`` as ``quantize`` does.
    """
    name = f"{model.name}-{to}"
    source = store.path_of(model)
    result = quantize(source, store.directory_of(name) / f"{source.stem}-{to.upper()}.gguf", to, on_progress)
    file = InstalledFile(result.path.name, result.path.stat().st_size, sha256_of(result.path))
    made = InstalledModel(
        name=name,
        version=version_of((file,)),
        source=f"quantized:{model.name}@{model.version}",
        architecture=model.architecture,
        files=(file,),
        quantization=to.upper(),
        licence=model.licence,
    )
    store.add(made)
    return made, result


Plan = list[tuple[ReaderTensor, Choice]]


def _open(source: Path) -> GGUFReader:
    try:
        return GGUFReader(source)
    except (ValueError, IndexError, OSError) as error:
        raise ModelFileError(f"{source} is not a whole GGUF file; pull or copy it again.") from error


def _plan(reader: GGUFReader, architecture: str, to: Target) -> tuple[Plan, tuple[str, ...]]:
    mix = mix_of(to)
    layers_field = reader.fields.get(f"{architecture}.block_count")
    layers = int(layers_field.contents()) if layers_field else 0
    tied = all(tensor.name != "output.weight" for tensor in reader.tensors)
    plan = [
        (
            tensor,
            choose_type(
                tensor.name,
                tuple(int(size) for size in tensor.shape),
                GGMLQuantizationType(tensor.tensor_type),
                mix,
                layers,
                tied=tied,
            ),
        )
        for tensor in reader.tensors
    ]
    return plan, (*_fallback_notes(plan), *_requantizing_notes(plan))


def _fallback_notes(plan: Plan) -> list[str]:
    counts: dict[str, int] = {}
    for tensor, choice in plan:
        if choice.type != choice.wanted:
            change = (
                f"{int(tensor.shape[0])} columns do not divide into blocks of {choice.wanted.name}: {choice.type.name}"
            )
            counts[change] = counts.get(change, 0) + 1
    return [f"{change} in {count} tensors" for change, count in counts.items()]


def _requantizing_notes(plan: Plan) -> list[str]:
    types = sorted(
        {GGMLQuantizationType(tensor.tensor_type).name for tensor, _ in plan if tensor.tensor_type not in _PLAIN}
    )
    return (
        [f"the source is quantized already ({', '.join(types)}); start from F16 for the best result"] if types else []
    )


def _write(
    reader: GGUFReader,
    part: Path,
    plan: Plan,
    architecture: str,
    file_type: LlamaFileType,
    on_progress: OnQuantized,
) -> None:
    library = GgmlLibrary()
    writer = GGUFWriter(part, architecture)
    try:
        _copy_fields(reader, writer)
        writer.add_file_type(int(file_type))
        writer.add_quantization_version(2)
        for tensor, choice in plan:
            shape = [int(size) for size in reversed(tensor.shape)]
            writer.add_tensor_info(
                tensor.name, shape, np.dtype(np.float32), _nbytes(tensor, choice.type), raw_dtype=choice.type
            )
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        total = sum(int(tensor.n_elements) for tensor, _ in plan)
        done = 0
        for tensor, choice in plan:
            on_progress(done, total, tensor.name)
            writer.write_tensor_data(_converted(tensor, choice.type, library))
            done += int(tensor.n_elements)
        on_progress(total, total, "")
    finally:
        writer.close()


def _copy_fields(reader: GGUFReader, writer: GGUFWriter) -> None:
    for key, field in reader.fields.items():
        if key.startswith("GGUF.") or key in _OWN_KEYS:
            continue
        kind = field.types[0]
        inner = field.types[-1] if kind == GGUFValueType.ARRAY else None
        writer.add_key_value(key, field.contents(), kind, inner)


def _converted(tensor: ReaderTensor, to: GGMLQuantizationType, library: GgmlLibrary) -> npt.NDArray[Any]:
    """The tensor's data as ``to``; rows are converted in chunks, so that float32 of all of it is never in memory."""
    source = GGMLQuantizationType(tensor.tensor_type)
    if source == to:
        return tensor.data
    columns = int(tensor.shape[0])
    rows = int(tensor.n_elements) // columns
    data = tensor.data.reshape(rows, -1)
    row_bytes = _row_bytes(columns, to)
    out = np.empty((rows, row_bytes), np.uint8)
    step = max(1, _CHUNK_VALUES // columns)
    for begin in range(0, rows, step):
        values = _floats(data[begin : begin + step], source)
        if to == GGMLQuantizationType.F32:
            out[begin : begin + step] = np.ascontiguousarray(values).view(np.uint8)
        else:
            out[begin : begin + step] = library.quantize_rows(values, int(to), row_bytes)
    return out


def _floats(rows: npt.NDArray[Any], source: GGMLQuantizationType) -> npt.NDArray[np.float32]:
    if source in (GGMLQuantizationType.F32, GGMLQuantizationType.F16):
        return rows.astype(np.float32)
    try:
        return cast("npt.NDArray[np.float32]", dequantize(rows, source))
    except NotImplementedError as error:
        raise ModelFileError(f"Weights of type {source.name} cannot be converted; start from an F16 file.") from error


def _row_bytes(columns: int, kind: GGMLQuantizationType) -> int:
    block, block_bytes = GGML_QUANT_SIZES[kind]
    return columns // block * block_bytes


def _nbytes(tensor: ReaderTensor, kind: GGMLQuantizationType) -> int:
    return int(tensor.n_elements) // int(tensor.shape[0]) * _row_bytes(int(tensor.shape[0]), kind)
