"""A worker process without a model, driven by prompts: ``python -m tests.fakes.worker --fd N --spec JSON``.

The spec's ``source`` says how it loads, a request's prompt how it answers.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import AsyncGenerator
from pathlib import Path

from seekway.core.errors import EngineCrashed, ModelFileError, Overloaded
from seekway.core.ports import Backend
from seekway.core.types import Event, GenerateRequest, TextDelta
from seekway.engine.spec import LoadProgress, LocalModelSpec
from seekway.engine.worker.entry import worker_process
from tests.fakes.backend import HANG, FakeBackend, Step, model_info, reply


def _script(request: GenerateRequest) -> tuple[Step, ...]:
    match str(request.prompt).split():
        case ["overloaded"]:
            return (Overloaded("busy", retry_after_s=3.5, param="model"),)
        case ["hang"]:
            return (TextDelta("first"), HANG)
        case ["count", number]:
            return reply(*(f"{position} " for position in range(int(number))))
        case ["running", *_]:
            return reply(str(request.id))
        case _:
            return reply("Hello", " from ", str(os.getpid()))


class _Worker(FakeBackend):
    async def generate(self, request: GenerateRequest) -> AsyncGenerator[Event, None]:
        match str(request.prompt).split():
            case ["die"]:
                yield TextDelta("last words")
                # One turn of the loop, so that the words are written before the end.
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                os.kill(os.getpid(), signal.SIGKILL)
            case ["freeze"]:
                yield TextDelta("frozen")
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                threading.Event().wait()
            case ["crash"]:
                yield TextDelta("so far")
                self.error = EngineCrashed("The engine failed and must be started again.")
                raise self.error
            case ["bug"]:
                raise ZeroDivisionError
            case ["cancelled"]:
                yield TextDelta(str(self.cancelled))
            case ["say", *words]:
                print(*words, flush=True)  # noqa: T201 - what a native library would do
                print(*words, flush=True, file=sys.stderr)  # noqa: T201
                yield TextDelta("said")
            case _:
                async for event in super().generate(request):
                    yield event


async def load(spec: LocalModelSpec, progress: LoadProgress) -> Backend:
    kind, _, argument = spec.source.partition(":")
    progress("Reading the file", 0.5)
    if kind == "bad":
        raise ModelFileError(f"{argument} is no GGUF file; pull the model again.")
    if kind == "dies":
        print("terminate called: out of luck", flush=True, file=sys.stderr)  # noqa: T201
        os._exit(3)
    if kind == "once":
        _load_once(Path(argument))
    if kind == "stuck":
        _write_pid(Path(argument))
        await asyncio.Event().wait()
    progress("Ready", 1.0)
    return _Worker(_script, models=[model_info(spec.name, spec.version)])


def _load_once(mark: Path) -> None:
    """The second start finds the mark of the first."""
    if mark.exists():
        raise ModelFileError("The file is gone; pull the model again.")
    mark.touch()


def _write_pid(mark: Path) -> None:
    mark.write_text(str(os.getpid()), "ascii")


if __name__ == "__main__":
    os._exit(worker_process(sys.argv[1:], load))
