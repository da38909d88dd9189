"""Runs a decoding step without Python's global interpreter lock.

OpenVINO GenAI's Python binding of ``ContinuousBatchingPipeline::step`` keeps the lock for the whole step (seen in 2026.4.1),
so a worker could not send a token, read a request or answer a health check while the model computes.
The same C++ method is an exported symbol of the same library, and ctypes releases the lock around a call.

Two facts are relied on, both of the Itanium C++ ABI that Linux and macOS use: the symbol's name,
and that a pybind11 object holds the pointer to its C++ object right after Python's object header (``struct instance`` in ``pybind11/detail/common.h``).
A C++ exception cannot cross ctypes: it ends the process.
That is no loss, for a pipeline whose step has thrown refuses every later step, and the worker must be started anew either way.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import Final

_STEP: Final = "_ZN2ov5genai26ContinuousBatchingPipeline4stepEv"
_HAS_WORK: Final = "_ZN2ov5genai26ContinuousBatchingPipeline25has_non_finished_requestsEv"


def direct_step(pipeline: object, package: Path) -> Callable[[], None] | None:
    """``pipeline.step`` without the lock, or None where the library in ``package`` does not export it under this name.

    ``pipeline`` must be an idle ``ContinuousBatchingPipeline``, and must outlive the callable.
    """
    for library in sorted(package.glob("libopenvino_genai.*")):
        try:
            loaded = ctypes.CDLL(str(library))
            step, has_work = loaded[_STEP], loaded[_HAS_WORK]
        except (OSError, AttributeError):
            continue
        step.argtypes, step.restype = [ctypes.c_void_p], None
        has_work.argtypes, has_work.restype = [ctypes.c_void_p], ctypes.c_bool
        address = ctypes.c_void_p.from_address(id(pipeline) + object.__basicsize__)
        if not address.value or has_work(address):
            continue
        return lambda: step(address)
    return None
