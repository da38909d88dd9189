"""The C interface of ggml and llama.cpp inside xllamacpp's extension module, which exports it beside its Python classes.

Only functions whose arguments have stayed the same for years are used. Two of llama.cpp's parameter structs grow with most releases;
they are passed through as opaque blocks, larger than any version's: a C compiler returns such a struct into memory that the caller gives
and takes it as the last argument from a copy, so trailing bytes are never looked at. Nothing in them is read or changed here.

Everything untyped about ctypes stays in this file.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
from collections.abc import Sequence
from ctypes import POINTER, c_bool, c_char_p, c_float, c_int, c_int8, c_int32, c_int64, c_size_t, c_uint8, c_void_p
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from seekway.core.errors import ModelFileError, StartupError

_STRUCT_BYTES = 4096
FloatArray = npt.NDArray[np.float32]
ByteArray = npt.NDArray[np.uint8]


class _Opaque(ctypes.Structure):
    _fields_ = [("bytes", c_uint8 * _STRUCT_BYTES)]


class _Batch(ctypes.Structure):
    """``llama_batch`` of llama.h."""

    _fields_ = [
        ("n_tokens", c_int32),
        ("token", POINTER(c_int32)),
        ("embd", POINTER(c_float)),
        ("pos", POINTER(c_int32)),
        ("n_seq_id", POINTER(c_int32)),
        ("seq_id", POINTER(POINTER(c_int32))),
        ("logits", POINTER(c_int8)),
    ]


_LogCallback = ctypes.CFUNCTYPE(None, c_int, c_char_p, c_void_p)

_SIGNATURES: dict[str, tuple[Any, list[Any]]] = {
    "ggml_quantize_chunk": (c_size_t, [c_int, c_void_p, c_void_p, c_int64, c_int64, c_int64, c_void_p]),
    "llama_log_set": (None, [_LogCallback, c_void_p]),
    "llama_backend_init": (None, []),
    "llama_model_default_params": (_Opaque, []),
    "llama_context_default_params": (_Opaque, []),
    "llama_model_load_from_file": (c_void_p, [c_char_p, _Opaque]),
    "llama_init_from_model": (c_void_p, [c_void_p, _Opaque]),
    "llama_model_get_vocab": (c_void_p, [c_void_p]),
    "llama_vocab_n_tokens": (c_int32, [c_void_p]),
    "llama_vocab_get_add_bos": (c_bool, [c_void_p]),
    "llama_vocab_bos": (c_int32, [c_void_p]),
    "llama_n_ctx": (ctypes.c_uint32, [c_void_p]),
    "llama_set_n_threads": (None, [c_void_p, c_int32, c_int32]),
    "llama_tokenize": (c_int32, [c_void_p, c_char_p, c_int32, POINTER(c_int32), c_int32, c_bool, c_bool]),
    "llama_batch_init": (_Batch, [c_int32, c_int32, c_int32]),
    "llama_batch_free": (None, [_Batch]),
    "llama_decode": (c_int32, [c_void_p, _Batch]),
    "llama_get_logits_ith": (POINTER(c_float), [c_void_p, c_int32]),
    "llama_get_memory": (c_void_p, [c_void_p]),
    "llama_memory_clear": (None, [c_void_p, c_bool]),
    "llama_free": (None, [c_void_p]),
    "llama_model_free": (None, [c_void_p]),
}


def _ignore_log(_level: int, _text: bytes, _data: int) -> None:
    """llama.cpp writes hundreds of lines to standard error unless told otherwise."""


_SILENCE = _LogCallback(_ignore_log)
"""The library keeps the callback's address for as long as the process lives, so the callback must live as long."""


class GgmlLibrary:
    """The loaded library; raises ``StartupError`` when the installed xllamacpp does not export what is needed."""

    def __init__(self) -> None:
        path = _library_path()
        try:
            self._library = ctypes.CDLL(str(path))
            for name, (result, arguments) in _SIGNATURES.items():
                function = getattr(self._library, name)
                function.restype = result
                function.argtypes = arguments
        except (OSError, AttributeError) as error:
            raise StartupError(f"The installed xllamacpp does not offer what quantizing needs ({error}).") from error
        self._library.llama_log_set(_SILENCE, None)

    def quantize_rows(self, rows: FloatArray, ggml_type: int, row_bytes: int) -> ByteArray:
        """``rows`` (n, columns) in float32 as ``ggml_type``: (n, row_bytes)."""
        rows = np.ascontiguousarray(rows, np.float32)
        count, columns = rows.shape
        out = np.empty((count, row_bytes), np.uint8)
        written = int(
            self._library.ggml_quantize_chunk(ggml_type, rows.ctypes.data, out.ctypes.data, 0, count, columns, None)
        )
        if written != out.nbytes:
            raise StartupError(
                f"xllamacpp wrote {written} bytes for a tensor of type {ggml_type} and {out.nbytes} were due."
            )
        return out

    def open_model(self, path: Path) -> LanguageModel:
        return LanguageModel(self._library, path)


class LanguageModel:
    """A model with a context of llama.cpp's default length (512 tokens), for log-probabilities of given text. Not thread-safe.

    Raises ``ModelFileError`` when the file does not load.
    """

    def __init__(self, library: ctypes.CDLL, path: Path) -> None:
        self._library = library
        self._context = None
        library.llama_backend_init()
        self._model = library.llama_model_load_from_file(str(path).encode(), library.llama_model_default_params())
        if self._model:
            self._context = library.llama_init_from_model(self._model, library.llama_context_default_params())
        if not self._context:
            self.close()
            raise ModelFileError(
                f"llama.cpp cannot load {path}; it is damaged or of an architecture that it does not know."
            )
        threads = os.cpu_count() or 1
        library.llama_set_n_threads(self._context, threads, threads)
        self._vocabulary = library.llama_model_get_vocab(self._model)
        self.vocabulary_size = int(library.llama_vocab_n_tokens(self._vocabulary))
        self.context_length = int(library.llama_n_ctx(self._context))
        self.first_token: int | None = (
            int(library.llama_vocab_bos(self._vocabulary))
            if library.llama_vocab_get_add_bos(self._vocabulary)
            else None
        )
        self._batch = library.llama_batch_init(self.context_length, 0, 1)

    def tokenize(self, text: str) -> list[int]:
        """Token ids of ``text`` without special ones."""
        data = text.encode()
        room = len(data) + 16
        for _ in range(2):
            ids = (c_int32 * room)()
            count = int(self._library.llama_tokenize(self._vocabulary, data, len(data), ids, room, False, False))
            if count >= 0:
                return list(ids[:count])
            # Too little room is answered with minus the room needed: a space may become three byte tokens.
            room = -count
        raise ModelFileError("The model's tokenizer cannot read the text.")

    def log_probabilities(self, tokens: Sequence[int]) -> npt.NDArray[np.float64]:
        """Natural log-probability of each token but the first, given those before it; at most ``context_length`` tokens."""
        library, batch = self._library, self._batch
        library.llama_memory_clear(library.llama_get_memory(self._context), True)
        batch.n_tokens = len(tokens)
        for index, token in enumerate(tokens):
            batch.token[index] = token
            batch.pos[index] = index
            batch.n_seq_id[index] = 1
            batch.seq_id[index][0] = 0
            batch.logits[index] = 1
        if library.llama_decode(self._context, batch) != 0:
            raise ModelFileError("llama.cpp cannot run the model.")
        result = np.empty(len(tokens) - 1, np.float64)
        for index, token in enumerate(tokens[1:]):
            pointer = library.llama_get_logits_ith(self._context, index)
            logits = np.ctypeslib.as_array(pointer, (self.vocabulary_size,)).astype(np.float64)
            peak = logits.max()
            result[index] = logits[token] - peak - np.log(np.exp(logits - peak).sum())
        return result

    def close(self) -> None:
        if self._context:
            self._library.llama_batch_free(self._batch)
            self._library.llama_free(self._context)
            self._context = None
        if self._model:
            self._library.llama_model_free(self._model)
            self._model = None


def _library_path() -> Path:
    # find_spec runs no code of the package: its compiled module is opened without its Python side.
    spec = importlib.util.find_spec("xllamacpp")
    folders = (spec.submodule_search_locations or []) if spec else []
    for folder in folders:
        for path in sorted(Path(folder).glob("xllamacpp*.so")):
            return path
    raise StartupError("xllamacpp is not installed; install Seekway again.")
