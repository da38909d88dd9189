from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from seekway.core.errors import (
    BackendUnavailable,
    ContextLengthExceeded,
    EngineCrashed,
    InsufficientMemory,
    InvalidParameter,
    Overloaded,
    SeekwayError,
    UnsupportedParameter,
)
from seekway.engine.base import Constraint, EngineOptions, TokenChunk, TokenRequest
from seekway.engine.openvino.engine import OpenVinoEngine
from tests.fakes.openvino_pipeline import FakePipeline, FakeTrial


@asynccontextmanager
async def _serving(
    pipeline: FakePipeline, *, max_running: int = 4, max_queued: int = 8, context_length: int = 100
) -> AsyncGenerator[OpenVinoEngine]:
    options = EngineOptions(Path("none.gguf"), max_running=max_running, max_queued=max_queued)
    engine = OpenVinoEngine(
        pipeline, FakeTrial(), None, options, context_length=context_length, weight_bytes=1, vocabulary=10_000
    )
    try:
        yield engine
    finally:
        pipeline.gate.set()
        await engine.close()


def _request(
    prompt: tuple[int, ...] = (5,),
    max_tokens: int = 3,
    stop: frozenset[int] = frozenset(),
    constraint: Constraint | None = None,
) -> TokenRequest:
    return TokenRequest("r", prompt, max_tokens, stop_token_ids=stop, constraint=constraint)


async def _collect(stream: AsyncGenerator[TokenChunk]) -> tuple[list[int], str | None]:
    ids, finish = list[int](), None
    async for chunk in stream:
        ids += [token.id for token in chunk.tokens]
        finish = chunk.finish
    return ids, finish


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - the stepping thread tells nobody what it has done
            await asyncio.sleep(0)


async def test_tokens_stream_and_end_with_their_finish_reason() -> None:
    async with _serving(FakePipeline()) as engine:
        assert await _collect(engine.generate(_request(max_tokens=3))) == ([6, 7, 8], "length")
        assert await _collect(engine.generate(_request(max_tokens=9, stop=frozenset({8})))) == ([6, 7], "stop")
        stats = engine.stats()
        assert (stats.requests_total, stats.prompt_tokens_total, stats.generated_tokens_total) == (2, 2, 5)
        assert (stats.running, stats.queued, stats.kv_cache_used) == (0, 0, 0.0)


async def test_no_more_than_max_running_are_inside_and_one_too_many_is_refused_at_once() -> None:
    pipeline = FakePipeline()
    pipeline.gate.clear()
    async with _serving(pipeline, max_running=2, max_queued=3) as engine, asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(_collect(engine.generate(_request()))) for _ in range(5)]
        await _until(lambda: engine.stats().queued == 3)
        with pytest.raises(Overloaded) as refused:
            await _collect(engine.generate(_request()))
        assert refused.value.retry_after_s is not None
        assert engine.stats().running == 2
        pipeline.gate.set()
        assert [(await task)[1] for task in running] == ["length"] * 5
    assert pipeline.most_inside == 2


async def test_fifty_cancelled_requests_leave_nothing_behind() -> None:
    pipeline = FakePipeline()
    async with _serving(pipeline, max_running=8, max_queued=64) as engine:
        tasks = [asyncio.ensure_future(_collect(engine.generate(_request(max_tokens=90)))) for _ in range(50)]
        await _until(lambda: pipeline.steps > 1)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert (engine.stats().running, engine.stats().queued) == (0, 0)
        await _until(lambda: not pipeline.inside)
        assert await _collect(engine.generate(_request())) == ([6, 7, 8], "length")


async def test_closing_the_stream_takes_the_sequence_out_with_the_next_step() -> None:
    pipeline = FakePipeline()
    async with _serving(pipeline) as engine:
        stream = engine.generate(_request(max_tokens=90))
        await anext(stream)
        pipeline.gate.clear()
        await stream.aclose()
        steps = pipeline.steps
        assert engine.stats().running == 0
        pipeline.gate.set()
        await _until(lambda: not pipeline.inside)
        assert pipeline.steps <= steps + 2


async def test_a_queued_request_is_cancelled_without_entering() -> None:
    pipeline = FakePipeline()
    pipeline.gate.clear()
    async with _serving(pipeline, max_running=1) as engine:
        first = asyncio.ensure_future(_collect(engine.generate(_request())))
        await _until(lambda: engine.stats().running == 1)
        second = asyncio.ensure_future(_collect(engine.generate(_request())))
        await _until(lambda: engine.stats().queued == 1)
        second.cancel()
        await asyncio.gather(second, return_exceptions=True)
        assert engine.stats().queued == 0
        pipeline.gate.set()
        await first
    assert pipeline.added == 1


async def test_a_failing_step_ends_all_requests_and_the_engine() -> None:
    pipeline = FakePipeline()
    pipeline.gate.clear()

    def fail() -> None:
        raise RuntimeError("broken")

    pipeline.before_step = fail
    async with _serving(pipeline, max_running=2) as engine:
        tasks = [asyncio.ensure_future(_collect(engine.generate(_request()))) for _ in range(3)]
        await _until(lambda: engine.stats().queued == 1)
        pipeline.gate.set()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(error) for error in ended] == [EngineCrashed] * 3
        assert engine.crashed.is_set()
        with pytest.raises(EngineCrashed):
            await _collect(engine.generate(_request()))


async def test_a_prompt_that_leaves_no_room_is_refused_before_it_enters() -> None:
    pipeline = FakePipeline()
    async with _serving(pipeline, context_length=10) as engine:
        with pytest.raises(ContextLengthExceeded, match="10"):
            await _collect(engine.generate(_request(prompt=tuple(range(10)))))
        assert await _collect(engine.generate(_request(prompt=tuple(range(8)), max_tokens=50))) == ([8, 9], "length")
    assert pipeline.added == 1


@pytest.mark.parametrize(
    "request_", [_request(prompt=()), _request(prompt=(10_000,)), _request(prompt=(-1,)), _request(max_tokens=0)]
)
async def test_what_the_pipeline_could_not_take_is_refused(request_: TokenRequest) -> None:
    async with _serving(FakePipeline()) as engine:
        with pytest.raises(InvalidParameter):
            await _collect(engine.generate(request_))


async def test_a_bad_constraint_fails_its_own_request_only() -> None:
    async with _serving(FakePipeline()) as engine:
        with pytest.raises(InvalidParameter, match="parenthesis"):
            await _collect(engine.generate(_request(constraint=Constraint("regex", regex="a(b"))))
        assert await _collect(engine.generate(_request(constraint=Constraint("regex", regex="ab")))) == (
            [6, 7, 8],
            "length",
        )


async def test_a_full_kv_cache_is_an_error_not_an_answer() -> None:
    pipeline = FakePipeline()
    pipeline.starve = True
    async with _serving(pipeline) as engine:
        with pytest.raises(InsufficientMemory):
            await _collect(engine.generate(_request()))


async def test_an_idle_engine_does_not_step_and_starts_on_the_next_request() -> None:
    pipeline = FakePipeline()
    async with _serving(pipeline) as engine:
        await _collect(engine.generate(_request()))
        steps = pipeline.steps
        for _ in range(200):
            await asyncio.sleep(0)
        assert pipeline.steps == steps
        assert await _collect(engine.generate(_request())) == ([6, 7, 8], "length")


async def test_where_a_step_holds_pythons_lock_a_chunk_passes_before_the_next_step() -> None:
    pipeline = FakePipeline(step_holds_lock=True)
    passed: list[int] = []
    seen_before_step: list[int] = []
    pipeline.before_step = lambda: seen_before_step.append(len(passed))
    async with _serving(pipeline) as engine:
        async for chunk in engine.generate(_request(max_tokens=5)):
            passed.extend(token.id for token in chunk.tokens)
    assert seen_before_step == [0, 1, 2, 3, 4]


async def test_closing_ends_who_is_inside_and_refuses_who_comes() -> None:
    pipeline = FakePipeline()
    async with _serving(pipeline, max_running=1, context_length=1_000_000) as engine:
        inside = asyncio.ensure_future(_collect(engine.generate(_request(max_tokens=999_000))))
        waiting = asyncio.ensure_future(_collect(engine.generate(_request())))
        await _until(lambda: pipeline.steps > 0 and engine.stats().queued == 1)
        await engine.close()
        ended = await asyncio.gather(inside, waiting, return_exceptions=True)
        assert [type(error) for error in ended] == [BackendUnavailable] * 2
        with pytest.raises(SeekwayError):
            await _collect(engine.generate(_request()))
    assert not [thread for thread in threading.enumerate() if thread.name == "openvino-stepper"]


async def test_it_makes_no_embeddings() -> None:
    async with _serving(FakePipeline()) as engine:
        with pytest.raises(UnsupportedParameter):
            await engine.embed([[1]])
