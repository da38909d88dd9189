"""How a worker process begins: its arguments, its signals, its loop."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from seekway.core.errors import StartupError
from seekway.core.ports import Backend
from seekway.core.sections.log import LogSettings
from seekway.engine.spec import LoadProgress, LocalModelSpec, decode_spec
from seekway.engine.worker.host import run_worker
from seekway.engine.worker.memory import die_with_parent
from seekway.observability.logging import make_logger

LoadModel = Callable[[LocalModelSpec, LoadProgress], Awaitable[Backend]]
_ABANDONED_S = 10.0


def worker_process(argv: Sequence[str], load: LoadModel) -> int:
    """Run one worker to its end and return the exit status; ``argv`` is without the program's name.

    Raises ``StartupError`` when it was not started by a service.
    """
    parser = argparse.ArgumentParser(
        prog="seekway-worker", description="Serves one model to the service that started it."
    )
    parser.add_argument("--fd", type=int, required=True, help="inherited end of the socket pair")
    parser.add_argument("--spec", required=True, help="what to load, as JSON")
    arguments = parser.parse_args(argv)
    die_with_parent()
    # Ctrl-C is the service's to answer; it ends its workers itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        spec = decode_spec(arguments.spec)
        pipe = socket.socket(fileno=arguments.fd)
    except (msgspec.MsgspecError, OSError) as error:
        raise StartupError(f"A worker is started by the model service, not by hand: {error}.") from error
    return asyncio.run(_run(lambda progress: load(spec, progress), pipe))


async def _run(load: Callable[[LoadProgress], Awaitable[Backend]], pipe: socket.socket) -> int:
    loop = asyncio.get_running_loop()
    # One line an event, tracebacks inside it: the service logs what comes line by line.
    log = make_logger(LogSettings(format="json"))
    # A native load or an engine that does not stop must not keep a process alive that nobody waits for.
    return await run_worker(load, pipe, log, lambda: loop.call_later(_ABANDONED_S, os._exit, 1))
