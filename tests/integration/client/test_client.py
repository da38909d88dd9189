"""The public client of the direct mode, asynchronous and not, and its examples."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import structlog
from structlog.testing import LogCapture

from seekway.client import AnalysisFailed, AnalyzeText, Answer, AsyncClient, Client, Delta, Message, Options
from seekway.core.errors import BackendUnavailable, ModelNotFound, Overloaded
from seekway.core.types import Finish, GenerateRequest, ReasoningDelta, TextDelta, Usage
from seekway.model_service.analyze import Analyzer
from seekway.model_service.desk import OpenDesk
from seekway.model_service.server import ModelServer, Place
from tests.fakes.backend import HANG, FakeBackend, reply

ROOT = Path(__file__).parents[3]
ANALYSIS = '{"summary":"Fine.","key_points":["Fine"],"sentiment":"neutral","labels":["price"]}'
REASONED = [ReasoningDelta("Hm."), TextDelta("Yes"), TextDelta("."), Usage(3, 3), Finish("stop")]


@asynccontextmanager
async def served(backend: FakeBackend) -> AsyncGenerator[str, None]:
    log = structlog.wrap_logger(None, processors=[LogCapture()], wrapper_class=structlog.make_filtering_bound_logger(0))
    desk = OpenDesk(backend, Analyzer(backend))
    server = ModelServer(desk, backend.models, Place("127.0.0.1", 0), max_message_bytes=1 << 20, log=log)
    try:
        yield await server.start()
    finally:
        await server.stop(0.0)


async def test_the_asynchronous_client_does_it_all() -> None:
    backend = FakeBackend(lambda request: reply(ANALYSIS) if request.response_format.schema else REASONED)
    async with served(backend) as target, AsyncClient(target) as seekway:
        assert [text async for text in seekway.generate("Really?", options=Options(max_tokens=5))] == ["Yes", "."]
        question = [Message("user", "Really?")]
        deltas = [delta async for delta in seekway.stream(question)]
        assert deltas == [Delta(reasoning="Hm."), Delta(text="Yes"), Delta(text=".")]
        assert await seekway.chat(question) == Answer("Yes.", "Hm.", "stop", Usage(3, 3))
        (first, second) = await seekway.embed(["a", "bb"])
        assert len(first) == len(second) == 4
        assert sum(value * value for value in first) == pytest.approx(1.0)
        assert [found.index for found in await seekway.rerank("a b", ["c", "a"], top_n=1)] == [1]
        assert (await seekway.analyze("A text.", labels=["price"])).labels == ("price",)
        texts = [AnalyzeText("1", "A text."), AnalyzeText("2", "")]
        found = {result.id: isinstance(result, AnalysisFailed) async for result in seekway.analyze_stream(texts)}
        assert found == {"1": False, "2": True}
        assert [info.id for info in await seekway.models()] == ["fake"]
    asked = backend.requests[0]
    assert isinstance(asked, GenerateRequest)
    assert (asked.model, asked.sampling.max_tokens) == ("fake", 5)


async def test_the_ordinary_client_does_it_all_from_a_thread() -> None:
    def use(target: str) -> None:
        with Client(target) as seekway:
            assert list(seekway.generate("Really?")) == ["Yes", "."]
            assert seekway.chat([Message("user", "Really?")]).reasoning == "Hm."
            assert len(seekway.embed(["a"])) == 1
            assert seekway.rerank("a", ["a"])[0].index == 0
            assert seekway.analyze("A text.").summary == "Fine."
            assert [result.id for result in seekway.analyze_stream([AnalyzeText("1", "A text.")])] == ["1"]
            assert seekway.models()[0].id == "fake"

    backend = FakeBackend(lambda request: reply(ANALYSIS) if request.response_format.schema else REASONED)
    async with served(backend) as target:
        await asyncio.to_thread(use, target)
    assert not [thread for thread in threading.enumerate() if thread.name == "seekway-client"]


async def test_leaving_an_ordinary_stream_stops_the_work() -> None:
    backend = FakeBackend([TextDelta("a"), HANG])

    def use(target: str) -> None:
        with Client(target) as seekway:
            stream = seekway.generate("hi")
            assert next(stream) == "a"
            stream.close()

    async with served(backend) as target:
        await asyncio.to_thread(use, target)
        await asyncio.wait_for(backend.idle.wait(), 5)
    assert backend.cancelled == 1


async def test_errors_are_seekways_own() -> None:
    async with served(FakeBackend([Overloaded("busy", retry_after_s=2.0)])) as target, AsyncClient(target) as seekway:
        with pytest.raises(Overloaded) as overloaded:
            await seekway.chat([Message("user", "hi")])
        assert overloaded.value.retry_after_s == 2.0
        with pytest.raises(ModelNotFound):
            await seekway.chat([Message("user", "hi")], model="other")
    async with served(FakeBackend(models=[])) as target, AsyncClient(target) as seekway:
        with pytest.raises(ModelNotFound, match="chat"):
            await seekway.chat([Message("user", "hi")])


def test_nobody_there_and_a_closed_client_are_said() -> None:
    with Client("127.0.0.1:1") as seekway, pytest.raises(BackendUnavailable):
        seekway.models()
    with pytest.raises(BackendUnavailable, match="closed"):
        seekway.models()


@pytest.mark.parametrize(
    ("example", "arguments", "expected"),
    [("chat.py", ("Really?",), "Yes."), ("analyze_stream.py", (), "4. [neutral; price] Fine.")],
)
async def test_the_examples_run(example: str, arguments: tuple[str, ...], expected: str) -> None:
    backend = FakeBackend(lambda request: reply(ANALYSIS) if request.response_format.schema else REASONED)
    async with served(backend) as target:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(ROOT / "examples" / "direct" / example),
            "--target",
            target,
            *arguments,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, err.decode()
    assert expected in out.decode()
