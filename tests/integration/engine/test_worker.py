"""A worker process serves, dies, hangs and comes back; nothing is left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest
import structlog
from structlog.testing import LogCapture
from structlog.typing import FilteringBoundLogger

from seekway.core.errors import (
    BackendUnavailable,
    DeadlineExceeded,
    EngineCrashed,
    InternalError,
    ModelFileError,
    ModelNotFound,
    Overloaded,
    StartupError,
)
from seekway.core.settings import worker_environment
from seekway.core.types import (
    EmbedRequest,
    Event,
    Finish,
    GenerateRequest,
    Message,
    RerankRequest,
    TextDelta,
    TokenCount,
)
from seekway.engine.spec import LocalModelSpec
from seekway.engine.worker.child import WorkerLimits
from seekway.engine.worker.process import RestartPolicy, WorkerBackend

COMMAND = (sys.executable, "-m", "tests.fakes.worker")
ROOT = Path(__file__).parents[3]


def environment() -> Mapping[str, str]:
    return {**worker_environment(), "PYTHONPATH": str(ROOT)}


@asynccontextmanager
async def worker(
    source: str = "fake",
    *,
    lazy: bool = False,
    limits: WorkerLimits | None = None,
    policy: RestartPolicy | None = None,
    log: LogCapture | None = None,
    progress: list[tuple[str, float]] | None = None,
) -> AsyncGenerator[WorkerBackend, None]:
    capture = log or LogCapture()
    steps = progress if progress is not None else []
    logger: FilteringBoundLogger = structlog.wrap_logger(
        None, processors=[capture], wrapper_class=structlog.make_filtering_bound_logger(0)
    )
    backend = WorkerBackend(
        LocalModelSpec("fake", "1", source, engine="llamacpp"),
        command=COMMAND,
        environment=environment(),
        progress=lambda step, fraction: steps.append((step, fraction)),
        log=logger,
        lazy=lazy,
        limits=limits,
        policy=policy or RestartPolicy(drain_s=5.0),
    )
    try:
        await backend.start()
        yield backend
    finally:
        await backend.close()


def asked(prompt: str, *, deadline_s: float | None = None) -> GenerateRequest:
    return GenerateRequest("1", "fake", prompt=prompt, deadline_s=deadline_s)


async def answer(backend: WorkerBackend, prompt: str, *, deadline_s: float | None = None) -> list[Event]:
    return [event async for event in backend.generate(asked(prompt, deadline_s=deadline_s))]


def text(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


async def until(condition: Callable[[], bool] | Callable[[], Awaitable[bool]], bound_s: float = 20.0) -> None:
    """Wait for something of another process that announces itself to nobody."""
    async with asyncio.timeout(bound_s):
        while True:
            found = condition()
            if found if isinstance(found, bool) else await found:
                return
            await asyncio.sleep(0.02)


async def test_a_worker_streams_embeds_reranks_and_lists() -> None:
    steps: list[tuple[str, float]] = []
    async with worker(progress=steps) as backend:
        events = await answer(backend, "hi")
        assert text(events) == f"Hello from {backend.pid}"
        assert events[-1] == Finish("stop")
        embedded = await backend.embed(EmbedRequest("2", "fake", ("a", "bb")))
        assert len(embedded.vectors) == 2
        ranked = await backend.rerank(RerankRequest("3", "fake", "a b", ("x", "a b"), top_n=1))
        assert ranked.scores[0].index == 1
        (info,) = await backend.models()
        assert (info.id, info.state, info.stats.restarts) == ("fake", "ready", 0)
        assert info.stats.rss_bytes > 1_000_000
    assert steps == [("Reading the file", 0.5), ("Ready", 1.0)]


async def test_a_worker_counts_tokens() -> None:
    async with worker() as backend:
        request = GenerateRequest("1", "fake", (Message("user", "three words here"),), deadline_s=20.0)
        assert await backend.count_tokens(request) == TokenCount(3)
        with pytest.raises(ModelNotFound):
            await backend.count_tokens(GenerateRequest("1", "none"))


async def test_errors_keep_their_kind_across_the_pipe() -> None:
    async with worker() as backend:
        with pytest.raises(Overloaded) as overloaded:
            await answer(backend, "overloaded")
        assert (overloaded.value.retry_after_s, overloaded.value.param) == (3.5, "model")
        with pytest.raises(ModelNotFound):
            await backend.embed(EmbedRequest("1", "other", ("a",)))
        with pytest.raises(InternalError):
            await answer(backend, "bug")
        assert text(await answer(backend, "hi")).startswith("Hello")


async def test_a_worker_killed_in_the_middle_fails_its_requests_and_a_new_one_serves_the_next() -> None:
    async with worker() as backend:
        victim = backend.pid
        assert victim is not None
        streams = [backend.generate(asked("hang")) for _ in range(3)]
        for stream in streams:
            assert await anext(stream) == TextDelta("first")
        os.kill(victim, signal.SIGKILL)
        for stream in streams:
            with pytest.raises(EngineCrashed, match="send the request again"):
                await anext(stream)
        async with asyncio.timeout(10):
            assert text(await answer(backend, "hi")) == f"Hello from {backend.pid}"
        assert backend.pid != victim
        (info,) = await backend.models()
        assert info.stats.restarts == 1
        assert not psutil.pid_exists(victim)


async def test_words_said_before_a_crash_are_not_lost() -> None:
    async with worker() as backend:
        stream = backend.generate(asked("die"))
        assert await anext(stream) == TextDelta("last words")
        with pytest.raises(EngineCrashed):
            await anext(stream)


async def test_an_engine_that_crashes_within_a_living_worker_is_replaced() -> None:
    async with worker() as backend:
        before = backend.pid
        with pytest.raises(EngineCrashed):
            await answer(backend, "crash")
        async with asyncio.timeout(20):
            while True:
                try:
                    events = await answer(backend, "who")
                except (BackendUnavailable, EngineCrashed):
                    continue  # the old worker's last moments
                break
        assert isinstance(events[-1], Finish)
        assert backend.pid != before
        assert backend.restarts == 1


async def test_a_frozen_worker_is_killed_and_replaced() -> None:
    async with worker(limits=WorkerLimits(hang_after_s=0.6, tick_s=0.3)) as backend:
        frozen = backend.pid
        stream = backend.generate(asked("freeze"))
        assert await anext(stream) == TextDelta("frozen")
        with pytest.raises(EngineCrashed, match="silent"):
            await anext(stream)
        assert text(await answer(backend, "hi")).startswith("Hello")
        assert backend.pid != frozen


async def test_an_engine_without_progress_is_killed_although_its_loop_turns() -> None:
    async with worker(limits=WorkerLimits(stall_after_s=0.4, tick_s=0.1)) as backend:
        stream = backend.generate(asked("hang"))
        assert await anext(stream) == TextDelta("first")
        with pytest.raises(EngineCrashed, match="no progress"):
            await anext(stream)


async def test_closing_a_stream_stops_its_work_in_the_worker() -> None:
    async with worker() as backend:
        for stream in [backend.generate(asked("hang")) for _ in range(2)]:
            await anext(stream)
            await stream.aclose()

        async def counted() -> bool:
            return text(await answer(backend, "cancelled")) == "2"

        await until(counted)


async def test_a_deadline_ends_the_stream_and_its_work() -> None:
    async with worker() as backend:
        with pytest.raises(DeadlineExceeded):
            await answer(backend, "hang", deadline_s=0.2)

        async def counted() -> bool:
            return text(await answer(backend, "cancelled")) == "1"

        await until(counted)


async def test_a_reader_that_is_behind_gets_joined_deltas_and_nothing_is_lost() -> None:
    async with worker() as backend:
        stream = backend.generate(asked("count 20000"))
        received: list[Event] = [await anext(stream)]
        # While this reader did nothing, the others went through.
        await asyncio.gather(*(answer(backend, "count 50") for _ in range(4)))
        received += [event async for event in stream]
        assert text(received) == "".join(f"{position} " for position in range(20000))
        assert len(received) < 15000


async def test_many_streams_are_in_flight_at_once() -> None:
    async with worker() as backend:
        answers = await asyncio.gather(*(answer(backend, f"count {length}") for length in range(64)))
        assert [len(text(events).split()) for events in answers] == list(range(64))


async def test_a_load_that_fails_is_the_workers_own_error_and_no_process_stays() -> None:
    log = LogCapture()
    with pytest.raises(ModelFileError, match=r"model\.bin is no GGUF file"):
        async with worker("bad:model.bin", log=log):
            pass
    assert not [entry for entry in log.entries if "Traceback" in str(entry)]


async def test_a_worker_that_dies_while_loading_says_its_last_words() -> None:
    with pytest.raises(StartupError, match=r"exit status 3.*out of luck"):
        async with worker("dies"):
            pass


async def test_a_command_that_does_not_exist_is_one_clear_error() -> None:
    backend = WorkerBackend(
        LocalModelSpec("fake", "1", "fake"),
        command=("/nonexistent/worker",),
        environment={},
        progress=lambda step, fraction: None,
        log=structlog.wrap_logger(
            None, processors=[LogCapture()], wrapper_class=structlog.make_filtering_bound_logger(0)
        ),
    )
    with pytest.raises(StartupError, match="/nonexistent/worker"):
        await backend.start()
    await backend.close()


async def test_a_worker_that_will_not_start_again_is_marked_failed_with_the_reason(tmp_path: Path) -> None:
    policy = RestartPolicy(delays_s=(0.0,), failed_after=2, slow_retry_s=60.0)
    async with worker(f"once:{tmp_path / 'mark'}", policy=policy) as backend:
        assert text(await answer(backend, "hi")).startswith("Hello")
        assert backend.pid is not None
        os.kill(backend.pid, signal.SIGKILL)
        await until(lambda: backend.state == "failed")
        with pytest.raises(BackendUnavailable, match="The file is gone") as unavailable:
            await answer(backend, "hi")
        assert unavailable.value.retry_after_s == 60.0
        (info,) = await backend.models()
        assert info.state == "failed"
        assert "The file is gone" in info.detail


async def test_a_lazy_worker_starts_with_its_first_use() -> None:
    async with worker(lazy=True) as backend:
        (info,) = await backend.models()
        assert (backend.pid, info.state) == (None, "ready")
        embedded = await backend.embed(EmbedRequest("1", "fake", ("a",)))
        assert embedded.dimensions == 4
        assert backend.pid is not None


async def test_requests_wait_a_bounded_time_for_a_worker_that_loads(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    async with worker(f"stuck:{mark}", lazy=True, policy=RestartPolicy(wait_s=0.3)) as backend:
        with pytest.raises(BackendUnavailable, match="still loading") as unavailable:
            await answer(backend, "hi")
        assert unavailable.value.retry_after_s is not None
        with pytest.raises(DeadlineExceeded):
            await answer(backend, "hi", deadline_s=0.05)
        await until(mark.exists)
        await until(lambda: mark.read_text() != "")
        pid = int(mark.read_text())
    assert not psutil.pid_exists(pid)


async def test_what_a_worker_prints_is_logged_line_by_line() -> None:
    log = LogCapture()
    async with worker(log=log) as backend:
        await answer(backend, "say one two")
    lines = {(entry["stream"], entry["line"]) for entry in log.entries if entry["event"] == "worker_output"}
    assert lines == {("stdout", "one two"), ("stderr", "one two")}


async def test_closing_lets_running_requests_finish_and_reaps_the_worker() -> None:
    async with worker() as backend:
        pid = backend.pid
        assert pid is not None
        stream = backend.generate(asked("count 3"))
        first = await anext(stream)
        closing = asyncio.ensure_future(backend.close())
        await asyncio.sleep(0)
        with pytest.raises(BackendUnavailable):
            await answer(backend, "hi")
        rest = [event async for event in stream]
        assert text([first, *rest]) == "0 1 2 "
        await closing
    assert not psutil.pid_exists(pid)


PARENT = """
import asyncio, sys, structlog
from seekway.engine.spec import LocalModelSpec
from seekway.engine.worker.process import WorkerBackend

async def main():
    backend = WorkerBackend(LocalModelSpec("fake", "1", "fake"), command=(sys.executable, "-m", "tests.fakes.worker"),
        environment={"PYTHONPATH": sys.argv[1]}, progress=lambda step, fraction: None, log=structlog.get_logger())
    await backend.start()
    print(backend.pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_a_worker_never_outlives_a_killed_service() -> None:
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, str(ROOT), env=dict(environment()), stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    child = int(await asyncio.wait_for(parent.stdout.readline(), 30))
    assert psutil.pid_exists(child)
    parent.kill()
    await parent.wait()
    await until(lambda: not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE)
