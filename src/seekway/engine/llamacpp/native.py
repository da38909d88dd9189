"""The one place that touches ``xllamacpp``, which has no types: starts its server without an open port and types what is used of it."""

from __future__ import annotations

import secrets
import shutil
import signal
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, cast

from seekway.core.errors import ModelFileError
from seekway.engine.llamacpp.plan import LoadPlan

_PREFILL_STEP = 512
"""Prompt tokens computed at once; a request can be cancelled between two steps."""
_SILENT = -1
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class NativeServer(Protocol):
    """``xllamacpp.Server`` as far as it is used; all methods block and let other threads run meanwhile."""

    def handle_completions(self, prompt: bytes, callback: Callable[[bytes], bool]) -> None:
        """Call back with each JSON answer on this thread; a true return ends the request."""
        ...

    def handle_embeddings(self, prompt: bytes) -> bytes: ...


def start_server(path: Path, plan: LoadPlan, *, threads: int, prefix_cache: bool) -> NativeServer:
    """Load the model and start its decoding thread; blocks meanwhile. Raises ``ModelFileError`` when llama.cpp cannot load it.

    The server insists on listening. It is given a Unix socket in a directory only we can enter and a random key,
    and the socket is removed as soon as the server runs, so that nothing can connect to it.
    """
    import xllamacpp

    library = cast("Any", xllamacpp)
    private = Path(tempfile.mkdtemp(prefix="seekway-"))
    try:
        parameters = _parameters(library, path, plan, threads=threads, prefix_cache=prefix_cache)
        parameters.hostnames = [str(private / "s.sock")]
        parameters.api_keys = [secrets.token_urlsafe(32)]
        return cast("NativeServer", library.Server(parameters))
    except RuntimeError as error:
        raise ModelFileError(
            f"llama.cpp cannot load {path.name}; the file is damaged or of a kind it does not know."
        ) from error
    finally:
        shutil.rmtree(private, ignore_errors=True)


def reclaim_signals() -> None:
    """Take SIGINT and SIGTERM back: starting the server installs handlers of its own, of which the second call exits at once.

    Handlers can be set on the main thread only; elsewhere the process's owner keeps what it has set later.
    """
    if threading.current_thread() is threading.main_thread():
        for number in _SIGNALS:
            handler = signal.getsignal(number)
            if handler is not None:
                signal.signal(number, handler)


def _parameters(library: Any, path: Path, plan: LoadPlan, *, threads: int, prefix_cache: bool) -> Any:
    parameters = library.CommonParams()
    parameters.model.path = str(path)
    parameters.n_ctx = plan.slots * plan.context_length
    parameters.n_parallel = plan.slots
    parameters.n_batch = parameters.n_ubatch = _PREFILL_STEP if plan.pooling is None else plan.context_length
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = threads
    cache = library.ggml_type.GGML_TYPE_Q8_0 if plan.kv_cache == "int8" else library.ggml_type.GGML_TYPE_F16
    parameters.cache_type_k = parameters.cache_type_v = cache
    flash = library.llama_flash_attn_type
    parameters.flash_attn_type = (
        flash.LLAMA_FLASH_ATTN_TYPE_ENABLED if plan.flash_attention else flash.LLAMA_FLASH_ATTN_TYPE_DISABLED
    )
    parameters.embedding = plan.pooling is not None
    parameters.cache_prompt = prefix_cache
    # Prompts that left their slot would be kept in up to 8 GiB of ordinary memory, beyond what the KV cache was allowed.
    parameters.cache_ram_mib = 0
    parameters.cache_idle_slots = False
    parameters.fit_params = False
    parameters.warmup = False
    parameters.n_threads_http = 1
    parameters.endpoint_slots = parameters.endpoint_metrics = parameters.endpoint_props = False
    parameters.ui = False
    parameters.verbosity = _SILENT
    return parameters
