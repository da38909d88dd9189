"""What only the real library can promise; one engine serves all tests of this file."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import jsonschema
import msgspec
import pytest
import pytest_asyncio

from seekway.core.errors import InvalidParameter, ModelFileError, StartupError
from seekway.core.types import JsonSchema
from seekway.engine.base import Constraint, EngineOptions, SampledToken, TokenChunk, TokenRequest
from seekway.engine.gguf.header import read_header
from seekway.engine.openvino.engine import OpenVinoEngine, load_openvino

pytestmark = [pytest.mark.model, pytest.mark.asyncio(loop_scope="module")]

_EOS = 2
_PROMPT = (1, 4093, 198, 1780, 314, 260, 3575, 282, 4649, 47, 2, 198, 1, 520, 9531, 198)
"""ChatML: "What is the capital of France?"."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(demo_model: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[OpenVinoEngine]:
    seen: list[float] = []
    cache = tmp_path_factory.mktemp("engine-cache")
    options = EngineOptions(demo_model, max_running=4, kv_cache_bytes=128 * 1024 * 1024, cache_directory=cache)
    engine = await load_openvino(options, lambda _, done: seen.append(done))
    assert seen == sorted(seen)
    assert 0.0 <= seen[0] < seen[-1] == 1.0
    yield engine
    await engine.close()


@pytest.fixture(scope="module")
def pieces(demo_model: Path) -> list[str]:
    """The vocabulary in GPT-2's byte alphabet."""
    return read_header(demo_model).strings("tokenizer.ggml.tokens")


_GREEDY = TokenRequest("r", _PROMPT, 12, temperature=0.0, stop_token_ids=frozenset({_EOS}))


def _ask(**changes: object) -> TokenRequest:
    return msgspec.structs.replace(_GREEDY, **changes)


async def _collect(stream: AsyncGenerator[TokenChunk]) -> tuple[list[SampledToken], TokenChunk]:
    tokens, last = list[SampledToken](), TokenChunk()
    async for chunk in stream:
        tokens += chunk.tokens
        last = chunk
    return tokens, last


async def _ids(engine: OpenVinoEngine, request: TokenRequest) -> list[int]:
    return [token.id for token in (await _collect(engine.generate(request)))[0]]


def _text(ids: list[int], pieces: list[str]) -> str:
    return "".join(pieces[id_] for id_ in ids).replace("Ġ", " ").replace("Ċ", "\n").replace("ĉ", "\t")


async def test_greedy_answers_are_the_same_and_name_paris(engine: OpenVinoEngine, pieces: list[str]) -> None:
    first = await _ids(engine, _ask())
    assert first == await _ids(engine, _ask())
    assert "Paris" in _text(first, pieces)


async def test_a_seed_repeats_an_answer_and_no_seed_does_not(engine: OpenVinoEngine) -> None:
    hot = {"temperature": 1.5, "max_tokens": 24}
    assert await _ids(engine, _ask(**hot, seed=7)) == await _ids(engine, _ask(**hot, seed=7))
    others = [tuple(await _ids(engine, _ask(**hot))) for _ in range(3)]
    assert len(set(others)) == 3


async def test_narrow_sampling_is_greedy(engine: OpenVinoEngine) -> None:
    greedy = await _ids(engine, _ask())
    assert await _ids(engine, _ask(temperature=1.0, top_k=1)) == greedy
    assert await _ids(engine, _ask(temperature=1.0, top_p=1e-6)) == greedy
    assert await _ids(engine, _ask(temperature=1.0, min_p=0.999)) == greedy


async def test_parameters_out_of_range_fail_their_own_request_only(engine: OpenVinoEngine) -> None:
    for wrong in ({"top_p": 7.0}, {"min_p": 1.5}, {"frequency_penalty": 9.0}):
        with pytest.raises(InvalidParameter):
            await _ids(engine, _ask(temperature=1.0, **wrong))
    assert await _ids(engine, _ask())


async def test_penalties_keep_tokens_from_coming_again(engine: OpenVinoEngine) -> None:
    rambling = _ask(max_tokens=60, stop_token_ids=frozenset[int]())
    plain = await _ids(engine, rambling)
    for penalty in ("frequency_penalty", "presence_penalty"):
        penalized = await _ids(engine, _ask(max_tokens=60, stop_token_ids=frozenset[int](), **{penalty: 2.0}))
        assert len(set(penalized)) > len(set(plain))


async def test_stop_tokens_end_the_answer_and_are_not_emitted(engine: OpenVinoEngine) -> None:
    ids = await _ids(engine, _ask())
    tokens, last = await _collect(engine.generate(_ask(stop_token_ids=frozenset({ids[3], _EOS}))))
    assert [token.id for token in tokens] == ids[:3]
    assert last.finish == "stop"


async def test_without_stop_tokens_only_max_tokens_ends_the_answer(engine: OpenVinoEngine) -> None:
    tokens, last = await _collect(engine.generate(_ask(max_tokens=60, stop_token_ids=frozenset[int]())))
    assert (len(tokens), last.finish) == (60, "length")
    assert _EOS in [token.id for token in tokens]


async def test_log_probabilities_are_those_of_the_sampled_tokens(engine: OpenVinoEngine) -> None:
    tokens, _ = await _collect(engine.generate(_ask(logprobs=0)))
    assert all(token.logprob is not None and -10 < token.logprob <= 0 for token in tokens)
    unasked, _ = await _collect(engine.generate(_ask()))
    assert all(token.logprob is None for token in unasked)


async def test_a_repeated_prompt_is_reused_and_counted(engine: OpenVinoEngine) -> None:
    prompt = tuple(range(300, 400))
    before = engine.stats().cached_tokens_total
    _, fresh = await _collect(engine.generate(_ask(prompt=prompt)))
    _, again = await _collect(engine.generate(_ask(prompt=prompt)))
    assert (fresh.cached_tokens, again.cached_tokens) == (0, 96)
    assert engine.stats().cached_tokens_total - before == 96


_CITY: JsonSchema = {
    "type": "object",
    "properties": {"city": {"type": "string", "maxLength": 12}, "large": {"type": "boolean"}},
    "required": ["city", "large"],
    "additionalProperties": False,
}


async def test_a_schema_is_kept_to_the_end(engine: OpenVinoEngine, pieces: list[str]) -> None:
    request = _ask(max_tokens=80, constraint=Constraint("json_schema", schema=_CITY))
    tokens, last = await _collect(engine.generate(request))
    assert last.finish == "stop"
    jsonschema.validate(json.loads(_text([token.id for token in tokens], pieces)), _CITY)


@pytest.mark.parametrize("stop", [frozenset({_EOS}), frozenset[int]()], ids=["stop tokens", "none"])
async def test_a_regex_is_kept_and_then_ends(engine: OpenVinoEngine, pieces: list[str], stop: frozenset[int]) -> None:
    request = _ask(constraint=Constraint("regex", regex="(yes|no)"), temperature=1.0, stop_token_ids=stop, logprobs=0)
    tokens, last = await _collect(engine.generate(request))
    assert _text([token.id for token in tokens if token.id != _EOS], pieces) in {"yes", "no"}
    assert last.finish == "stop"


@pytest.mark.parametrize(
    "constraint",
    [
        Constraint("regex", regex="((["),
        Constraint("json_schema", schema={"type": "nonsense"}),
        Constraint("json_schema", schema={"$ref": "#/$defs/missing"}),
    ],
)
async def test_a_bad_constraint_harms_nobody_else(engine: OpenVinoEngine, constraint: Constraint) -> None:
    greedy = await _ids(engine, _ask())
    running = asyncio.ensure_future(_ids(engine, _ask(max_tokens=30)))
    with pytest.raises(InvalidParameter) as refused:
        await _ids(engine, _ask(constraint=constraint))
    assert "/" not in refused.value.message.replace("#/$defs/missing", "").replace("#\\/$defs\\/missing", "")
    assert (await running)[: len(greedy)] == greedy[: len(await running)]
    assert await _ids(engine, _ask()) == greedy


async def test_cancelled_requests_leave_nothing_inside(engine: OpenVinoEngine) -> None:
    tasks = [asyncio.ensure_future(_ids(engine, _ask(max_tokens=500, temperature=1.0))) for _ in range(50)]
    stream = engine.generate(_ask(max_tokens=500))
    for task in tasks[:10]:
        task.cancel()
    await asyncio.gather(*tasks[:10], return_exceptions=True)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await anext(stream)
    await stream.aclose()
    stats = engine.stats()
    assert (stats.running, stats.queued) == (0, 0)
    assert len(await _ids(engine, _ask(max_tokens=5))) == 5


async def test_the_engine_says_what_it_is(engine: OpenVinoEngine) -> None:
    assert engine.context_length == 8192
    assert 90_000_000 < engine.weight_bytes < 100_000_000
    assert engine.max_top_logprobs == 0


async def test_a_step_does_not_hold_pythons_lock(demo_model: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from seekway.engine.openvino.pipeline import *\n"
        "p = open_pipeline(PipelineOptions(Path(sys.argv[1]), 1, 1, 'int8', 4, False, 32))\n"
        "print(p.step_holds_lock, 'openvino_telemetry.main' in sys.modules)"
    )
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", script, str(demo_model)], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False", "False"]


async def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF" + bytes(60))
    with pytest.raises(ModelFileError):
        await load_openvino(EngineOptions(path), lambda _, __: None)


async def test_a_context_beyond_the_models_is_refused(demo_model: Path) -> None:
    with pytest.raises(StartupError, match="context_length"):
        await load_openvino(EngineOptions(demo_model, context_length=100_000), lambda _, __: None)
