"""The real worker: what it says when it cannot load, and the demo model through pipe and gRPC."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest
import structlog
from structlog.testing import LogCapture

from seekway.app.model_server import WORKER_COMMAND
from seekway.app.worker import main
from seekway.core.errors import EngineCrashed, ModelFileError
from seekway.core.settings import worker_environment
from seekway.core.types import Finish, GenerateRequest, Message, Sampling, TextDelta
from seekway.engine.base import EngineOptions
from seekway.engine.spec import LocalModelSpec
from seekway.engine.worker.process import WorkerBackend


async def test_a_file_that_is_no_model_is_a_typed_error_without_a_traceback(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"this is no GGUF")
    log = LogCapture()
    backend = WorkerBackend(
        LocalModelSpec("broken", "1", "test", options=EngineOptions(path)),
        command=WORKER_COMMAND,
        environment=worker_environment(),
        progress=lambda step, fraction: None,
        log=structlog.wrap_logger(None, processors=[log], wrapper_class=structlog.make_filtering_bound_logger(0)),
    )
    with pytest.raises(ModelFileError, match=r"model\.gguf"):
        await backend.start()
    await backend.close()
    assert not [entry for entry in log.entries if "Traceback" in str(entry)]


async def test_a_worker_started_by_hand_says_so() -> None:
    process = await asyncio.create_subprocess_exec(
        *WORKER_COMMAND, "--fd", "99", "--spec", "{}", stderr=asyncio.subprocess.PIPE
    )
    _, said = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 2
    assert said.decode().count("\n") == 1
    assert "not by hand" in said.decode()


@pytest.mark.model
async def test_the_demo_model_is_killed_and_serves_again(demo_model: Path) -> None:
    backend = WorkerBackend(
        LocalModelSpec(
            "demo", "1", "test", options=EngineOptions(demo_model, context_length=512, kv_cache_bytes=64 << 20)
        ),
        command=WORKER_COMMAND,
        environment=worker_environment(),
        progress=lambda step, fraction: None,
        log=structlog.wrap_logger(
            None, processors=[LogCapture()], wrapper_class=structlog.make_filtering_bound_logger(0)
        ),
    )
    await backend.start()
    try:
        pid = backend.pid
        assert pid is not None
        question = (Message("user", "Count to one hundred."),)
        stream = backend.generate(GenerateRequest("1", "demo", question, sampling=Sampling(max_tokens=300)))
        await anext(stream)
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(EngineCrashed):
            _ = [event async for event in stream]
        short = GenerateRequest("2", "demo", question, sampling=Sampling(max_tokens=5, temperature=0.0))
        events = [event async for event in backend.generate(short)]
        assert any(isinstance(event, TextDelta) for event in events)
        assert isinstance(events[-1], Finish)
        assert backend.pid != pid
    finally:
        await backend.close()


def test_the_command_is_this_python_and_this_module() -> None:
    assert (sys.executable, "-m", main.__module__) == WORKER_COMMAND
