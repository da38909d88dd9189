"""The encoder of multilingual-e5-small as an OpenVINO model: BERT's layers after the embeddings, and the mean over a window's tokens.

Weights of 8 bits with a scale for each row, made of the file's 4 bits: a cosine of 0.9998 to those; with activations rounded to 8 bits as they come
(``DYNAMIC_QUANTIZATION_GROUP_SIZE``), which takes half the time again, 0.9996.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from functools import cache
from typing import Final, Protocol, cast

import numpy as np
import numpy.typing as npt

from seekway.engine.e5.weight_file import Floats, WeightFile
from seekway.engine.openvino.telemetry import bar_telemetry

_Array = npt.NDArray[np.float32] | npt.NDArray[np.int8] | npt.NDArray[np.int64]


class Node(Protocol):
    """``openvino.Node``: what an operation gives."""


class _Ops(Protocol):
    """What is used of ``openvino.opset13``, whose own types are incomplete."""

    def parameter(self, shape: Sequence[int], dtype: type[np.float32]) -> Node: ...
    def constant(self, value: _Array) -> Node: ...
    def convert(self, data: Node, destination_type: type[np.float32]) -> Node: ...
    def add(self, left_node: Node, right_node: Node) -> Node: ...
    def multiply(self, left_node: Node, right_node: Node) -> Node: ...
    def matmul(self, data_a: Node, data_b: Node, *, transpose_a: bool, transpose_b: bool) -> Node: ...
    def mvn(self, data: Node, axes: Node, *, normalize_variance: bool, eps: float, eps_mode: str) -> Node: ...
    def gelu(self, data: Node, approximation_mode: str) -> Node: ...
    def reshape(self, node: Node, output_shape: Node, *, special_zero: bool) -> Node: ...
    def transpose(self, data: Node, input_order: Node) -> Node: ...
    def scaled_dot_product_attention(self, query: Node, key: Node, value: Node, attention_mask: Node) -> Node: ...
    def result(self, data: Node) -> Node: ...


class _Core(Protocol):
    def compile_model(self, model: object, device_name: str, config: dict[str, str | int | bool]) -> Compiled: ...


class _OpenVino(Protocol):
    """What is used of the package ``openvino``."""

    def Model(self, results: Sequence[Node], parameters: Sequence[Node], name: str) -> object: ...  # noqa: N802
    def Core(self) -> _Core: ...  # noqa: N802


GROUP: Final = 128
"""Of activations, for each of which a scale is found; 32 takes a quarter longer, and a whole row's width costs twice the accuracy."""


class Request(Protocol):
    """``openvino.InferRequest``, one computation at a time; without the interpreter's lock."""

    def infer(self, inputs: dict[int, Floats]) -> dict[object, Floats]: ...


class Compiled(Protocol):
    """``openvino.CompiledModel``.

    Inputs: embeddings [1, tokens, width]; what is added to attention's scores [1, 1, 1, tokens]; each token's share in the mean [1, 1, tokens].
    Output: [1, 1, width].
    """

    def create_infer_request(self) -> Request: ...


def compile_graph(weights: WeightFile, *, streams: int, group: int) -> Compiled:
    """``streams`` computations side by side, each on one thread; ``group`` 0 computes in 32 bits. Takes half a second; raises ``RuntimeError``."""
    openvino, core = _library()
    properties: dict[str, str | int | bool] = {
        "NUM_STREAMS": streams,
        "INFERENCE_NUM_THREADS": streams,
        # Other processes share the cores: a question shall go where there is room, not wait for the one core it was bound to.
        "ENABLE_CPU_PINNING": False,
        "INFERENCE_PRECISION_HINT": "f32",
        "DYNAMIC_QUANTIZATION_GROUP_SIZE": group,
    }
    ops = cast("_Ops", importlib.import_module("openvino.opset13"))
    return core.compile_model(_graph(weights, openvino, ops), "CPU", properties)


@cache
def _library() -> tuple[_OpenVino, _Core]:
    """The core lasts as long as the process: with the last one goes the plugin's code, under threads of its own that are still ending."""
    bar_telemetry()
    openvino = cast("_OpenVino", importlib.import_module("openvino"))
    return openvino, openvino.Core()


def _graph(weights: WeightFile, openvino: _OpenVino, ops: _Ops) -> object:
    width = weights.shape.width
    embedded = ops.parameter([1, -1, width], np.float32)
    mask = ops.parameter([1, 1, 1, -1], np.float32)
    share = ops.parameter([1, 1, -1], np.float32)
    build = _Builder(weights, ops)
    state = build.normal(embedded, "emb.ln")
    for layer in range(weights.shape.layers):
        state = build.layer(state, mask, f"l{layer}.")
    mean = ops.matmul(share, state, transpose_a=False, transpose_b=False)
    return openvino.Model([ops.result(mean)], [embedded, mask, share], "multilingual-e5-small")


class _Builder:
    """Names are those of the tensors in the file."""

    def __init__(self, weights: WeightFile, ops: _Ops) -> None:
        self._ops = ops
        self._weights = weights

    def layer(self, state: Node, mask: Node, name: str) -> Node:
        ops, shape = self._ops, self._weights.shape
        query, key, value = (self._heads(self._linear(state, name + part, shape.width, shape.width)) for part in "qkv")
        seen = ops.scaled_dot_product_attention(query, key, value, mask)
        seen = ops.reshape(
            ops.transpose(seen, self._integers(0, 2, 1, 3)), self._integers(0, -1, shape.width), special_zero=True
        )
        attended = self._linear(seen, name + "ao", shape.width, shape.width)
        state = self.normal(ops.add(state, attended), name + "aln")
        inner = ops.gelu(self._linear(state, name + "fi", shape.inner, shape.width), "erf")
        return self.normal(ops.add(state, self._linear(inner, name + "fo", shape.width, shape.inner)), name + "oln")

    def normal(self, state: Node, name: str) -> Node:
        """Layer normalisation."""
        ops, vector = self._ops, self._vector
        even = ops.mvn(
            state, self._integers(-1), normalize_variance=True, eps=self._weights.shape.epsilon, eps_mode="inside_sqrt"
        )
        return ops.add(ops.multiply(even, vector(name + ".w")), vector(name + ".b"))

    def _linear(self, state: Node, name: str, rows: int, columns: int) -> Node:
        ops = self._ops
        exact = self._weights.matrix(name + ".w", rows, columns)
        scales = np.abs(exact).max(axis=1, keepdims=True) / 127
        rounded = ops.constant(np.rint(exact / np.where(scales > 0, scales, 1)).astype(np.int8))
        matrix = ops.multiply(ops.convert(rounded, np.float32), ops.constant(scales.astype(np.float32)))
        product = ops.matmul(state, matrix, transpose_a=False, transpose_b=True)
        return ops.add(product, self._vector(name + ".b"))

    def _heads(self, state: Node) -> Node:
        shape = self._weights.shape
        apart = self._integers(0, -1, shape.heads, shape.width // shape.heads)
        return self._ops.transpose(self._ops.reshape(state, apart, special_zero=True), self._integers(0, 2, 1, 3))

    def _vector(self, name: str) -> Node:
        return self._ops.constant(self._weights.vector(name).reshape(1, 1, -1))

    def _integers(self, *values: int) -> Node:
        return self._ops.constant(np.array(values))
