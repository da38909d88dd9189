"""The ``openai`` packages' ``responses`` work against Seekway unchanged: on a model that is served, and on a scripted one that thinks and fails."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest

from seekway.core.errors import EngineCrashed
from seekway.core.types import (
    Finish,
    GenerateRequest,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    Usage,
)
from seekway.pipeline.directory import Member
from tests.contract.conftest import ClientRun, Seen, run_client
from tests.contract.judgements import assert_refused, assert_usage, assert_weather
from tests.fakes.backend import FakeBackend, Step, model_info
from tests.integration.gateway.served import serving

pytestmark = [pytest.mark.clients, pytest.mark.timeout(600)]
BOTH = pytest.mark.parametrize("client", ["openai_responses", "node_openai_responses"])
THINKS = (ReasoningDelta("The sea "), ReasoningDelta("is wet."))
ANSWERS = (TextDelta("It is "), TextDelta("blue."))
ARGUMENTS = ('{"city":"Paris",', '"unit":"C"}')


def script(request: GenerateRequest) -> Sequence[Step]:
    """A thinking model that calls a tool when it has one and has not called it, and breaks when it is told to."""
    usage = Usage(7, 5, cached_tokens=4, reasoning_tokens=2)
    last = request.messages[-1]
    if request.sampling.max_tokens == 3:
        return (*THINKS, TextDelta("It"), usage, Finish("length"))
    if last.content == "break off":
        return (*THINKS, TextDelta("It"), EngineCrashed("The model's worker died."))
    if last.role == "tool":
        assert request.messages[-2].reasoning == "The sea is wet.", (
            "the turn that called the tool has lost its reasoning"
        )
        return (*ANSWERS, usage, Finish("stop"))
    if request.response_format.type == "json_schema":
        return (TextDelta('{"answer":"yes",'), TextDelta('"sure":true}'), usage, Finish("stop"))
    if request.tools:
        first = ToolCallDelta(0, "call_1", request.tools[0].name, ARGUMENTS[0])
        return (*THINKS, first, ToolCallDelta(0, arguments=ARGUMENTS[1]), usage, Finish("tool_calls"))
    return (*THINKS, *ANSWERS, usage, Finish("stop"))


ScriptedRun = Callable[[str], Seen]


@pytest.fixture(scope="module")
def scripted() -> ScriptedRun:
    """Run a client's script once against the scripted model, which passes for DeepSeek's cloud."""
    runs: dict[str, Seen] = {}

    async def serve(client: str) -> Seen:
        info = msgspec.structs.replace(model_info("thinker"), capabilities=("chat", "reasoning", "tools", "json"))
        cloud = Member("cloud", FakeBackend(script, models=(info,)), "deepseek")
        async with serving(others=[cloud]) as served:
            url = f"http://127.0.0.1:{served.port}"
            return await asyncio.to_thread(run_client, client, url, "thinker", "none")

    def run(client: str) -> Seen:
        if client not in runs:
            runs[client] = asyncio.run(serve(client))
        return runs[client]

    return run


def assert_response(seen: dict[str, Any], *kinds: str) -> None:
    assert "raised" not in seen, seen
    assert seen["object"] == "response"
    assert seen["id"].startswith("resp_")
    assert seen["store"] is False
    assert (seen["status"], seen["incomplete"]) in (("completed", None), ("incomplete", "max_output_tokens"))
    assert not kinds or tuple(seen["kinds"]) == kinds
    assert_usage(seen["usage"])


def assert_events(seen: dict[str, Any]) -> None:
    assert "error" not in seen, seen["error"]
    assert seen["kinds"][:2] == ["response.created", "response.in_progress"]
    assert seen["numbers"] == list(range(len(seen["numbers"])))
    assert_response(seen["last"])
    assert seen["kinds"][-1] == f"response.{seen['last']['status']}"


@BOTH
def test_a_served_model_answers(client_run: ClientRun, client: str) -> None:
    seen = client_run(client)["text"]
    assert_response(seen, "message")
    assert seen["text"].strip()


@BOTH
def test_a_served_models_stream_is_its_answer(client_run: ClientRun, client: str) -> None:
    seen = client_run(client)
    assert_events(seen["stream"])
    assert len(seen["stream"]["deltas"]) > 1
    assert "".join(seen["stream"]["deltas"]) == seen["stream"]["last"]["text"] == seen["text"]["text"]
    assert seen["stream_helper"]["text"] == seen["text"]["text"]


@BOTH
def test_a_served_models_json_is_parsed(client_run: ClientRun, client: str) -> None:
    assert client_run(client)["parse"]["parsed"].keys() == {"answer", "sure"}


@BOTH
def test_a_served_model_calls_a_tool_and_takes_its_output(client_run: ClientRun, client: str) -> None:
    seen = client_run(client)
    assert seen["tools"]["name"] == "get_weather"
    assert_weather(seen["tools"]["arguments"])
    assert_response(seen["tools"]["after"])
    assert_weather("".join(seen["tools_streamed"]["arguments"]))
    assert_weather(seen["tools_helper"]["arguments"])


@BOTH
def test_a_thinking_model_answers_with_reasoning_and_text(scripted: ScriptedRun, client: str) -> None:
    seen = scripted(client)["reasoning"]
    assert_response(seen, "reasoning", "message")
    assert (seen["texts"], seen["encrypted"], seen["text"]) == (["The sea is wet."], [True], "It is blue.")
    assert seen["usage"]["output_tokens_details"]["reasoning_tokens"] == 2
    assert seen["usage"]["input_tokens_details"]["cached_tokens"] == 4


@BOTH
def test_reasoning_streams_before_the_text(scripted: ScriptedRun, client: str) -> None:
    seen = scripted(client)["stream"]
    assert_events(seen)
    assert (seen["reasoning"], seen["deltas"]) == (["The sea ", "is wet."], ["It is ", "blue."])
    kinds = seen["kinds"]
    assert kinds.index("response.reasoning_text.done") < kinds.index("response.output_text.delta")


@BOTH
def test_the_stream_helper_puts_the_response_together(scripted: ScriptedRun, client: str) -> None:
    seen = scripted(client)["stream_helper"]
    assert_response(seen, "reasoning", "message")
    assert seen["text"] == "It is blue."


@BOTH
def test_structured_output_is_parsed(scripted: ScriptedRun, client: str) -> None:
    assert scripted(client)["parse"] == {"parsed": {"answer": "yes", "sure": True}}


@BOTH
def test_tools_go_round_with_their_reasoning(scripted: ScriptedRun, client: str) -> None:
    seen = scripted(client)
    assert (seen["tools"]["name"], seen["tools"]["call_id"]) == ("get_weather", "call_1")
    assert_weather(seen["tools"]["arguments"])
    assert_response(seen["tools"]["after"], "message")
    assert tuple(seen["tools_streamed"]["arguments"]) == ARGUMENTS
    assert_events(seen["tools_streamed"])
    assert_weather(seen["tools_helper"]["arguments"])


def test_a_namespaces_function_goes_round(scripted: ScriptedRun) -> None:
    seen = scripted("openai_responses")["namespaces"]
    assert (seen["namespace"], seen["name"], seen["tool"]) == ("town", "get_weather", "namespace")
    assert_response(seen["after"], "message")


@BOTH
def test_forgotten_reasoning_is_put_back(scripted: ScriptedRun, client: str) -> None:
    assert_response(scripted(client)["reasoning_forgotten"], "message")


def test_reasoning_comes_back_by_its_encrypted_content(scripted: ScriptedRun) -> None:
    assert_response(scripted("openai_responses")["reasoning_sent_back"], "message")


def test_structured_output_is_parsed_from_a_stream(scripted: ScriptedRun) -> None:
    assert scripted("openai_responses")["parse_stream"] == {"parsed": {"answer": "yes", "sure": True}}


def test_the_base_address_without_v1_answers_too(scripted: ScriptedRun) -> None:
    assert_response(scripted("openai_responses")["base_without_v1"], "reasoning", "message")


@BOTH
def test_a_limit_makes_the_response_incomplete(scripted: ScriptedRun, client: str) -> None:
    seen = scripted(client)["length"]
    assert (seen["status"], seen["incomplete"]) == ("incomplete", "max_output_tokens")


@BOTH
def test_a_stream_that_breaks_raises_and_never_completes(scripted: ScriptedRun, client: str) -> None:
    seen = scripted(client)["cut_stream"]
    assert seen["deltas"] == ["It"]
    assert "response.completed" not in seen["kinds"]
    assert (seen["error"]["code"], seen["error"]["type"]) == ("engine_crashed", "APIError")
    assert "worker died" in seen["error"]["message"]


@BOTH
def test_an_answer_that_breaks_is_an_error(scripted: ScriptedRun, client: str) -> None:
    assert_refused(scripted(client)["cut_answer"], {500}, "InternalServerError")


@BOTH
def test_refusals_are_the_clients_own_errors(scripted: ScriptedRun, client: str) -> None:
    seen = scripted(client)
    assert_refused(seen["unknown_model"], {404}, "NotFoundError")
    assert_refused(seen["bad_parameter"], {422}, "UnprocessableEntityError")
    for what in ("previous_response", "background", "built_in_tool"):
        assert_refused(seen[what], {400}, "BadRequestError")
    assert "items" in seen["previous_response"]["message"]
    assert "web_search" in seen["built_in_tool"]["message"]
