"""Every field of every canonical type survives protobuf, also fields that are added later."""

from __future__ import annotations

import types
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seekway.core.errors import BackendProtocolError, InvalidRequest, Overloaded
from seekway.core.types import (
    EmbedRequest,
    EmbedResult,
    ErrorEvent,
    Event,
    Finish,
    GenerateRequest,
    Message,
    ModelInfo,
    ReasoningDelta,
    RerankRequest,
    RerankResult,
    Sampling,
    TextDelta,
    ToolCallDelta,
    Usage,
)
from seekway.model_service.analysis import Analysis, AnalyzeText
from seekway.model_service.contract import model_service_pb2 as pb
from seekway.model_service.translate import requests, results
from seekway.model_service.translate.events import event_from_proto, event_to_proto

T = TypeVar("T")
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
NOT_IN_THE_MESSAGE = {"deadline_s": st.none()}
"""Deadlines are gRPC's own."""


def anything(kind: type[T]) -> st.SearchStrategy[T]:
    """Instances of a struct with every field drawn, none left at its default."""
    fields = {
        field.name: NOT_IN_THE_MESSAGE[field.name] if field.name in NOT_IN_THE_MESSAGE else _of(field.type, field.name)
        for field in msgspec.structs.fields(kind)  # pyright: ignore[reportArgumentType] - all callers give structs
    }
    return st.builds(kind, **fields)


def _of(annotation: Any, name: str) -> st.SearchStrategy[Any]:
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        return st.one_of(*(_of(choice, name) for choice in inner))
    if origin is Literal:
        return st.sampled_from(inner)
    if origin is tuple:
        return st.lists(_of(inner[0], name), max_size=3).map(tuple)
    if origin is dict:
        return st.dictionaries(st.text(max_size=5), json_values, max_size=3)
    if annotation is int:
        return st.integers(0, 255 if name == "bytes" else 2**31 - 1)
    simple: dict[Any, st.SearchStrategy[Any]] = {
        str: st.text(max_size=8),
        bool: st.booleans(),
        float: st.floats(allow_nan=False),
        bytes: st.binary(max_size=8),
        type(None): st.none(),
    }
    return simple[annotation] if annotation in simple else anything(annotation)


@given(anything(GenerateRequest))
def test_generate_requests(request: GenerateRequest) -> None:
    wire = requests.generate_to_proto(request).SerializeToString()
    assert requests.generate_from_proto(pb.GenerateRequest.FromString(wire), None) == request


@given(
    st.one_of(anything(TextDelta), anything(ReasoningDelta), anything(ToolCallDelta), anything(Usage), anything(Finish))
)
def test_events(event: Event) -> None:
    wire = event_to_proto(event).SerializeToString()
    assert event_from_proto(pb.GenerateEvent.FromString(wire)) == event


@given(anything(EmbedRequest), anything(EmbedResult))
def test_embeddings(request: EmbedRequest, result: EmbedResult) -> None:
    assert requests.embed_from_proto(requests.embed_to_proto(request), None) == request
    assert results.embed_result_from_proto(results.embed_result_to_proto(result)) == result


@given(anything(RerankRequest), anything(RerankResult))
def test_rerankings(request: RerankRequest, result: RerankResult) -> None:
    assert requests.rerank_from_proto(requests.rerank_to_proto(request), None) == request
    assert results.rerank_result_from_proto(results.rerank_result_to_proto(result)) == result


@given(st.lists(anything(ModelInfo), max_size=3).map(tuple))
def test_models(models: tuple[ModelInfo, ...]) -> None:
    wire = results.models_to_proto(models).SerializeToString()
    assert results.models_from_proto(pb.ListModelsResponse.FromString(wire)) == models


@given(anything(AnalyzeText), anything(Analysis))
def test_analyses(text: AnalyzeText, analysis: Analysis) -> None:
    assert results.analyze_from_proto(results.analyze_to_proto(text), None) == text
    assert results.analysis_from_proto(results.analysis_to_proto(analysis)) == analysis


def test_a_plain_delta_takes_the_short_field() -> None:
    assert event_to_proto(TextDelta("x")).ByteSize() == 3


def test_the_deadline_comes_from_the_call() -> None:
    message = requests.generate_to_proto(GenerateRequest("1", "m", prompt="x", deadline_s=3.0))
    assert requests.generate_from_proto(message, 1.5).deadline_s == 1.5


@pytest.mark.parametrize(
    "request_",
    [
        GenerateRequest("1", "m", prompt="\ud800"),
        GenerateRequest("1", "m", prompt=(-1,)),
        GenerateRequest("1", "m", prompt="x", sampling=Sampling(seed=1 << 64)),
        GenerateRequest("1", "m", messages=(Message("user", "\udfff"),)),
    ],
)
def test_what_protobuf_cannot_hold_is_the_requests_fault(request_: GenerateRequest) -> None:
    with pytest.raises(InvalidRequest):
        requests.generate_to_proto(request_)


@pytest.mark.parametrize(
    "message",
    [
        pb.GenerateRequest(messages=[pb.Message(text="no role")]),
        pb.GenerateRequest(messages=[pb.Message(role=pb.ROLE_USER, parts=[pb.ContentPart()])]),
        pb.GenerateRequest(extra_json="{broken"),
        pb.GenerateRequest(extra_json="[]"),
        pb.GenerateRequest(thinking=pb.Thinking(effort="maximal")),
        pb.GenerateRequest(tools=[pb.Tool(name="t", parameters_json="1")]),
    ],
)
def test_what_a_foreign_client_gets_wrong_is_said(message: pb.GenerateRequest) -> None:
    with pytest.raises(InvalidRequest):
        requests.generate_from_proto(message, None)


def test_an_unknown_purpose_is_refused() -> None:
    with pytest.raises(InvalidRequest):
        requests.embed_from_proto(pb.EmbedRequest(purpose="fun"), None)


@pytest.mark.parametrize("message", [pb.GenerateEvent(), pb.GenerateEvent(finish=pb.Finish(reason="bored"))])
def test_events_of_a_newer_server_are_an_error_not_a_guess(message: pb.GenerateEvent) -> None:
    with pytest.raises(BackendProtocolError):
        event_from_proto(message)


def test_answers_of_a_newer_server_are_an_error_not_a_guess() -> None:
    with pytest.raises(BackendProtocolError):
        results.models_from_proto(pb.ListModelsResponse(models=[pb.ModelInfo(id="m", state="dreaming")]))
    with pytest.raises(BackendProtocolError):
        results.analysis_from_proto(pb.AnalyzeResponse())


def test_an_error_event_leaves_as_an_error() -> None:
    with pytest.raises(Overloaded, match="busy"):
        event_to_proto(ErrorEvent("overloaded", "busy"))
