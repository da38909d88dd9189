"""The engine computes what transformers computes, for DeepSeek-V3 and Qwen2 alike."""

import struct

import pytest

from seekway.core.errors import UnsupportedParameter
from tests.unit.engine.llamacpp.tiny import collect, ids, loaded, reference, request

pytestmark = pytest.mark.model

_LOGPROB_BOUND = 0.03
"""Natural log; llama.cpp rounds keys, values and some products to 16 bits, transformers computed in 32."""


@pytest.mark.parametrize("name", ["deepseek-v3", "qwen2"])
async def test_all_48_greedy_tokens_equal_transformers_and_log_probabilities_are_close(name: str) -> None:
    async with loaded(name) as engine:
        for case in reference(name).cases:
            tokens, last = await collect(engine, request(case.prompt, 48, logprobs=5))
            assert last.finish == "length"
            assert ids(tokens) == [step.id for step in case.steps]
            for token, step in zip(tokens, case.steps, strict=True):
                assert token.logprob == pytest.approx(step.logprob, abs=_LOGPROB_BOUND)
                assert [logprob for _, logprob in token.top] == pytest.approx(
                    [logprob for _, logprob in step.top], abs=_LOGPROB_BOUND
                )


@pytest.mark.parametrize("name", ["deepseek-v3", "qwen2"])
async def test_an_8_bit_kv_cache_stays_close_to_transformers(name: str) -> None:
    async with loaded(name, kv_cache="int8") as engine:
        assert engine.plan.kv_cache == "int8"
        for case in reference(name).cases:
            tokens, _ = await collect(engine, request(case.prompt, 1, logprobs=0))
            wanted = dict(case.steps[0].top)
            assert tokens[0].logprob == pytest.approx(wanted[tokens[0].id], abs=0.3)
            assert tokens[0].top == ()


async def test_embeddings_equal_transformers_and_have_unit_length() -> None:
    told = reference("qwen2")
    async with loaded("qwen2-embedding") as engine:
        assert engine.embedding
        vectors = await engine.embed([case.prompt for case in told.cases])
        for raw, wanted in zip(vectors, told.last_token_embeddings, strict=True):
            vector = struct.unpack(f"<{len(raw) // 4}f", raw)
            assert sum(x * x for x in vector) == pytest.approx(1, abs=1e-5)
            assert vector == pytest.approx(wanted, abs=0.01)
        assert await engine.embed([]) == []
        with pytest.raises(UnsupportedParameter):
            await collect(engine, request([1, 2]))


async def test_a_model_without_pooling_makes_no_embeddings() -> None:
    async with loaded("qwen2") as engine:
        with pytest.raises(UnsupportedParameter):
            await engine.embed([[1, 2]])
