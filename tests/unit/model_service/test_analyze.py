"""An analysis is what the schema says, or a clear error."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec
import pytest

from seekway.core.errors import BackendProtocolError, InvalidParameter, ModelNotFound, Overloaded
from seekway.core.types import Finish, GenerateRequest, TextDelta, Usage
from seekway.model_service.analysis import AnalyzeText
from seekway.model_service.analyze import MAX_CHARACTERS, Analyzer
from tests.fakes.backend import FakeBackend, Step, reply

GOOD = '{"summary":"It works.","key_points":["It works"],"sentiment":"positive","labels":["praise","praise"]}'


def text(body: str = "Seekway works.", **fields: object) -> AnalyzeText:
    return msgspec.structs.replace(AnalyzeText("t1", body, "fake"), **fields)


async def test_an_analysis_carries_the_models_answer_and_its_cost() -> None:
    backend = FakeBackend(reply(GOOD[:20], GOOD[20:]))
    analysis = await Analyzer(backend).analyze(text(labels=("praise", "blame"), deadline_s=9.0))
    assert (analysis.id, analysis.summary, analysis.sentiment) == ("t1", "It works.", "positive")
    assert (analysis.key_points, analysis.labels) == (("It works",), ("praise",))
    assert analysis.usage == Usage(prompt_tokens=7, completion_tokens=2)
    (asked,) = backend.requests
    assert isinstance(asked, GenerateRequest)
    assert asked.deadline_s == 9.0
    assert asked.response_format.schema is not None
    assert asked.response_format.schema["properties"]["labels"]["items"] == {"enum": ["praise", "blame"]}


async def test_without_a_name_the_default_or_the_first_chat_model_reads() -> None:
    assert (await Analyzer(FakeBackend(reply(GOOD))).analyze(text(model=""))).model == "fake"
    assert (await Analyzer(FakeBackend(reply(GOOD)), default_model="fake@1").analyze(text(model=""))).model == "fake@1"
    with pytest.raises(ModelNotFound):
        await Analyzer(FakeBackend(models=[])).analyze(text(model=""))


@pytest.mark.parametrize(
    "answer",
    ["", "not JSON", "{}", GOOD.replace("positive", "ecstatic"), GOOD.replace('["It works"]', '"It works"')],
)
async def test_an_answer_that_is_no_analysis_is_an_error(answer: str) -> None:
    with pytest.raises(BackendProtocolError, match="larger model"):
        await Analyzer(FakeBackend(reply(answer))).analyze(text())


def cut_off(request: GenerateRequest) -> list[Step]:
    return [TextDelta(GOOD[:30]), Usage(5, 640, 1), Finish("length")]


def cut_off_unless_bounded(request: GenerateRequest) -> Sequence[Step]:
    schema = request.response_format.schema or {}
    return reply(GOOD) if "maxLength" in schema["properties"]["summary"] else cut_off(request)


async def test_a_model_that_rambles_is_asked_once_more_in_tight_bounds() -> None:
    backend = FakeBackend(cut_off_unless_bounded)
    analysis = await Analyzer(backend).analyze(text(deadline_s=9.0))
    assert analysis.summary == "It works."
    assert analysis.usage == Usage(prompt_tokens=12, completion_tokens=641, cached_tokens=1)
    assert len(backend.requests) == 2
    assert 0 < (backend.requests[1].deadline_s or 0) <= 9.0


async def test_an_answer_cut_off_twice_is_an_error() -> None:
    backend = FakeBackend(cut_off)
    with pytest.raises(BackendProtocolError, match="length"):
        await Analyzer(backend).analyze(text())
    assert len(backend.requests) == 2


async def test_labels_nobody_asked_for_are_an_error() -> None:
    with pytest.raises(BackendProtocolError, match="labels"):
        await Analyzer(FakeBackend(reply(GOOD))).analyze(text(labels=("blame",)))


@pytest.mark.parametrize(
    "wrong",
    [text(" "), text("x" * (MAX_CHARACTERS + 1)), text(labels=tuple(map(str, range(65)))), text(labels=("",))],
)
async def test_what_is_out_of_bounds_is_refused_before_the_model_sees_it(wrong: AnalyzeText) -> None:
    backend = FakeBackend(reply(GOOD))
    with pytest.raises(InvalidParameter):
        await Analyzer(backend).analyze(wrong)
    assert backend.requests == []


async def test_the_backends_errors_pass() -> None:
    with pytest.raises(Overloaded):
        await Analyzer(FakeBackend([Overloaded("busy")])).analyze(text())


async def test_no_more_texts_than_allowed_are_with_the_model() -> None:
    gate = asyncio.Event()
    backend = FakeBackend([gate, *reply(GOOD)])
    analyzer = Analyzer(backend, concurrency=2)
    running = [asyncio.ensure_future(analyzer.analyze(text())) for _ in range(5)]
    await backend.started.wait()
    for _ in range(10):
        await asyncio.sleep(0)
    assert backend.running == 2
    gate.set()
    assert len(await asyncio.gather(*running)) == 5
