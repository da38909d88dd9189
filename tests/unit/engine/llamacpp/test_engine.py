"""What the engine promises its callers, on a tiny Qwen2."""

import asyncio
import json
import os
import signal
import threading
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest

from seekway.core.errors import (
    BackendUnavailable,
    ContextLengthExceeded,
    InvalidParameter,
    InvalidRequest,
    Overloaded,
)
from seekway.engine.base import Constraint, EngineOptions, TokenChunk
from seekway.engine.llamacpp.engine import LlamaCppEngine, load_llamacpp
from tests.unit.engine.llamacpp.tiny import TINY, collect, ids, loaded, quiet, reference, request, text_of, token_id

pytestmark = pytest.mark.model

_PROMPT = reference("qwen2").cases[0].prompt
_LONG = 400


def _regex(pattern: str) -> Constraint:
    return Constraint("regex", regex=pattern)


async def test_the_same_seed_gives_the_same_tokens_and_another_seed_others() -> None:
    # Alone and without reuse: a prompt computed in other steps rounds otherwise, which now and then turns a choice.
    async with loaded("qwen2", max_running=1, prefix_cache=False) as engine:
        first, again, other = [
            ids((await collect(engine, request(_PROMPT, 24, temperature=1.5, seed=seed)))[0]) for seed in (7, 7, 8)
        ]
        assert first == again
        assert first != other


@pytest.mark.parametrize("narrow", [{"top_k": 1}, {"top_p": 1e-6}, {"min_p": 1.0}])
async def test_each_cut_alone_leaves_only_the_likeliest(narrow: dict[str, float]) -> None:
    async with loaded("qwen2") as engine:
        tokens, _ = await collect(engine, request(_PROMPT, 12, temperature=2.0, seed=1, **narrow))
        assert ids(tokens) == [step.id for step in reference("qwen2").cases[0].steps[:12]]


@pytest.mark.parametrize("penalty", [{"frequency_penalty": 2.0}, {"presence_penalty": 2.0}])
async def test_a_penalty_makes_repeated_tokens_rarer(penalty: dict[str, float]) -> None:
    async with loaded("qwen2") as engine:
        plain, _ = await collect(engine, request(_PROMPT, 120))
        penalized, _ = await collect(engine, request(_PROMPT, 120, **penalty))
        assert len(Counter(ids(penalized))) > len(Counter(ids(plain)))


async def test_a_stop_token_ends_the_sequence_and_is_not_emitted() -> None:
    steps = reference("qwen2").cases[0].steps
    at = next(n for n, step in enumerate(steps) if n > 3 and step.id not in {s.id for s in steps[:n]})
    async with loaded("qwen2") as engine:
        tokens, last = await collect(engine, request(_PROMPT, 48, stop_token_ids=frozenset({steps[at].id})))
        assert ids(tokens) == [step.id for step in steps[:at]]
        assert last.finish == "stop"


async def test_the_end_of_sequence_token_is_not_emitted() -> None:
    async with loaded("qwen2") as engine:
        tokens, last = await collect(engine, request(_PROMPT, 48, constraint=_regex("one")))
        assert text_of("qwen2", tokens) == "one"
        assert last.finish == "stop"
        assert token_id("qwen2", "<|im_end|>") not in ids(tokens)


async def test_characters_split_over_tokens_lose_none_of_them() -> None:
    async with loaded("qwen2") as engine:
        tokens, last = await collect(engine, request(_PROMPT, 48, constraint=_regex("a😀龘é你😀")))
        assert text_of("qwen2", tokens) == "a😀龘é你😀"
        assert len(tokens) > 6
        assert last.finish == "stop"


async def test_a_json_schema_is_obeyed() -> None:
    schema = {
        "type": "object",
        "properties": {"colour": {"enum": ["red", "green"]}, "n": {"type": "integer", "maximum": 99, "minimum": 10}},
        "required": ["colour", "n"],
        "additionalProperties": False,
    }
    async with loaded("qwen2") as engine:
        constraint = Constraint("json_schema", schema=schema)
        tokens, last = await collect(engine, request(_PROMPT, 300, constraint=constraint))
        assert last.finish == "stop"
        answer = json.loads(text_of("qwen2", tokens))
        assert answer["colour"] in ("red", "green")
        assert 10 <= answer["n"] <= 99


async def test_a_bad_schema_fails_its_request_alone() -> None:
    async with loaded("qwen2") as engine:
        bad = request(_PROMPT, constraint=Constraint("json_schema", schema={"type": "bogus"}))
        results = await asyncio.gather(
            collect(engine, bad), collect(engine, request(_PROMPT, 24)), return_exceptions=True
        )
        assert isinstance(results[0], InvalidParameter)
        assert not isinstance(results[1], BaseException)
        assert len(results[1][0]) == 24


async def test_a_repeated_prompt_is_reused_and_counted() -> None:
    prompt = [*_PROMPT] * 20
    async with loaded("qwen2", max_running=1) as engine:
        _, first = await collect(engine, request(prompt, 4))
        _, second = await collect(engine, request(prompt, 4))
        assert first.cached_tokens == 0
        assert second.cached_tokens == len(prompt) - 1
        assert engine.stats().cached_tokens_total == len(prompt) - 1
    async with loaded("qwen2", max_running=1, prefix_cache=False) as engine:
        await collect(engine, request(prompt, 4))
        _, second = await collect(engine, request(prompt, 4))
        assert second.cached_tokens == 0


async def test_figures_count_requests_and_tokens() -> None:
    async with loaded("qwen2") as engine:
        await collect(engine, request(_PROMPT, 10))
        stats = engine.stats()
        assert (stats.requests_total, stats.prompt_tokens_total) == (1, len(_PROMPT))
        assert stats.generated_tokens_total == 10
        assert stats.generated_tokens_per_s > 0
        assert (stats.running, stats.queued, stats.queue_limit) == (0, 0, 256)


async def test_a_full_context_ends_with_length() -> None:
    async with loaded("qwen2", context_length=256) as engine:
        assert engine.context_length == 256
        tokens, last = await collect(engine, request(_PROMPT, 10_000))
        assert last.finish == "length"
        assert len(tokens) + len(_PROMPT) == 256


async def test_what_cannot_be_run_is_refused_before_the_engine() -> None:
    async with loaded("qwen2", context_length=256) as engine:
        with pytest.raises(ContextLengthExceeded):
            await collect(engine, request([1] * 256))
        with pytest.raises(InvalidRequest):
            await collect(engine, request([]))
        with pytest.raises(InvalidRequest):
            await collect(engine, request([100_000]))
        _, last = await collect(engine, request([1], 0))
        assert last.finish == "length"


async def _start(engine: LlamaCppEngine, gone: asyncio.Event | None = None) -> None:
    """Take one token, then leave."""
    async with aclosing(engine.generate(request(_PROMPT, _LONG))) as chunks:
        async for _ in chunks:
            if gone is not None:
                gone.set()
                await asyncio.Event().wait()
            return


async def _drain(chunks: AsyncIterator[TokenChunk]) -> None:
    async for _ in chunks:
        pass


async def _queued_up(engine: LlamaCppEngine) -> None:
    """Let the tasks that were just made run until one waits in the queue."""
    for _ in range(10):
        await asyncio.sleep(0)
    assert engine.stats().queued == 1


async def test_leaving_early_leaks_no_slot() -> None:
    async with loaded("qwen2", max_running=2, max_queued=40) as engine:
        await asyncio.gather(*(_start(engine) for _ in range(20)))
        results = await asyncio.gather(*(collect(engine, request(_PROMPT, 4)) for _ in range(4)))
        assert [len(tokens) for tokens, _ in results] == [4] * 4
        assert engine.stats().queued == 0


async def test_a_slot_is_free_for_the_next_as_soon_as_the_server_has_left_the_last() -> None:
    async with loaded("qwen2", max_running=1, max_queued=1) as engine:
        for _ in range(10):
            await _start(engine)
            tokens, _ = await collect(engine, request(_PROMPT, 4))
            assert len(tokens) == 4
        assert engine.stats().running == 0


async def test_a_request_cancelled_while_its_prompt_is_read_frees_the_slot() -> None:
    async with loaded("qwen2", max_running=1, context_length=1024) as engine:
        task = asyncio.ensure_future(collect(engine, request([*_PROMPT] * 120, _LONG)))
        while engine.stats().requests_total == 0:  # noqa: ASYNC110 - the engine has no event for it
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        tokens, _ = await collect(engine, request(_PROMPT, 4))
        assert len(tokens) == 4


async def test_beyond_the_queue_is_refused_at_once_and_a_queued_request_leaves_at_once() -> None:
    async with loaded("qwen2", max_running=1, max_queued=1) as engine, asyncio.TaskGroup() as group:
        inside = asyncio.Event()
        running = group.create_task(_start(engine, inside))
        await inside.wait()
        queued = group.create_task(collect(engine, request(_PROMPT, 4)))
        await _queued_up(engine)
        with pytest.raises(Overloaded):
            await collect(engine, request(_PROMPT, 4))
        queued.cancel()
        await asyncio.wait([queued])
        assert engine.stats().queued == 0
        assert engine.stats().requests_total == 1
        running.cancel()


async def test_closing_ends_running_and_queued_requests_and_frees_the_threads() -> None:
    before = _native_threads()
    engine = await load_llamacpp(
        EngineOptions(model_path=TINY / "qwen2.gguf", context_length=512, max_running=1, threads=2), quiet
    )
    stream = engine.generate(request(_PROMPT, _LONG))
    await anext(stream)
    queued = asyncio.ensure_future(collect(engine, request(_PROMPT, 4)))
    await _queued_up(engine)
    await engine.close()
    with pytest.raises(BackendUnavailable):
        await _drain(stream)
    with pytest.raises(BackendUnavailable):
        await queued
    with pytest.raises(BackendUnavailable):
        await collect(engine, request(_PROMPT, 4))
    await engine.close()
    # A thread that was joined stays listed until the kernel has tidied it away.
    assert any(_native_threads() <= before for _ in range(2000))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("llamacpp")]


def _native_threads() -> int:
    """Threads of this process that Python did not start; 0 where the system does not list them."""
    tasks = Path("/proc/self/task")
    return len(list(tasks.iterdir())) - threading.active_count() if tasks.exists() else 0


async def test_eight_at_once_all_end() -> None:
    async with loaded("qwen2", max_running=4) as engine:
        results: list[TokenChunk] = []

        async def one(n: int) -> None:
            _, last = await collect(engine, request([*_PROMPT, n], 32, temperature=1.0, seed=n))
            results.append(last)

        await asyncio.gather(*(one(n) for n in range(1, 9)))
        assert [chunk.finish for chunk in results] == ["length"] * 8


@pytest.mark.skipif(not Path("/proc").exists(), reason="reads /proc")
async def test_no_port_is_open_and_no_socket_is_left(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = _listening()
    async with loaded("qwen2"):
        assert _listening() == before
        assert os.listdir(tmp_path) == []  # noqa: PTH208 - a Path may not list in async code


def _listening() -> set[str]:
    """TCP sockets of this process that listen, as inodes."""
    mine = {str(path.readlink()) for path in Path("/proc/self/fd").iterdir() if path.is_symlink()}
    rows = [
        line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/self/net/{name}").read_text().splitlines()[1:]
    ]
    return {row[9] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in mine}


async def test_signals_stay_the_process_s_own() -> None:
    received: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: received.append(number))
    try:
        async with loaded("qwen2") as engine:
            os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGTERM)
            assert len((await collect(engine, request(_PROMPT, 4)))[0]) == 4
        assert received == [signal.SIGTERM, signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, before)


async def test_loading_writes_nothing_to_stdout(capfd: pytest.CaptureFixture[str]) -> None:
    async with loaded("qwen2") as engine:
        await collect(engine, request(_PROMPT, 4))
    assert capfd.readouterr().out == ""
