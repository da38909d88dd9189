"""LangChain, the AI SDK, LiteLLM and Dify work against Seekway unchanged."""

from __future__ import annotations

import pytest

from tests.contract.conftest import ClientRun
from tests.contract.judgements import assert_answer, assert_refused, assert_stream, assert_verdict, assert_weather

pytestmark = [pytest.mark.clients, pytest.mark.timeout(600)]
FRAMEWORKS = pytest.mark.parametrize("client", ["langchain", "node_ai_sdk", "dify_plugin"])
RAISING = pytest.mark.parametrize("client", ["langchain", "node_ai_sdk", "litellm"])
PREFIXES = pytest.mark.parametrize("prefix", ["deepseek", "openai"])


@FRAMEWORKS
def test_chat_answers(client_run: ClientRun, client: str) -> None:
    assert_answer(client_run(client)["chat"])


@FRAMEWORKS
def test_chat_streams(client_run: ClientRun, client: str) -> None:
    seen = client_run(client)["stream"]
    assert_stream(seen)
    assert not seen.get("errors")


@RAISING
def test_an_unknown_model_is_not_found(client_run: ClientRun, client: str) -> None:
    assert_refused(client_run(client)["unknown_model"], {404})


@RAISING
def test_a_bad_parameter_is_refused(client_run: ClientRun, client: str) -> None:
    assert_refused(client_run(client)["bad_parameter"], {400, 422})


@pytest.mark.parametrize("client", ["langchain", "node_ai_sdk"])
def test_thinking_can_be_switched_off(client_run: ClientRun, client: str) -> None:
    assert_answer(client_run(client)["thinking"])


@PREFIXES
def test_litellm_answers_under_both_prefixes(client_run: ClientRun, prefix: str) -> None:
    assert_answer(client_run("litellm")["chat"][prefix])


@PREFIXES
def test_litellm_streams_under_both_prefixes(client_run: ClientRun, prefix: str) -> None:
    assert_stream(client_run("litellm")["stream"][prefix])


@PREFIXES
def test_litellm_calls_a_tool_under_both_prefixes(client_run: ClientRun, prefix: str) -> None:
    (call,) = client_run("litellm")["tools"][prefix]
    assert call["function"]["name"] == "get_weather"
    assert_weather(call["function"]["arguments"])


def test_litellm_embeds(client_run: ClientRun) -> None:
    assert len(client_run("litellm")["embeddings"]["vector"]) > 1


def test_litellm_knows_an_unknown_deepseek_model(client_run: ClientRun) -> None:
    assert_refused(client_run("litellm")["unknown_deepseek_model"], {404}, "NotFoundError")


def test_langchain_calls_a_named_tool(client_run: ClientRun) -> None:
    seen = client_run("langchain")["tools"]
    (call,) = seen["calls"]
    assert (call["name"], seen["invalid"]) == ("get_weather", [])
    assert_weather(call["args"])


def test_langchain_gets_structured_output(client_run: ClientRun) -> None:
    value = client_run("langchain")["structured"]["value"]
    assert value.keys() == {"answer", "sure"}


def test_the_ai_sdk_calls_a_named_tool(client_run: ClientRun) -> None:
    (call,) = client_run("node_ai_sdk")["tools"]["calls"]
    assert call["name"] == "get_weather"
    assert_weather(call["input"])


@pytest.mark.parametrize("check", ["credentials", "completion_credentials"])
def test_dify_accepts_the_server_as_a_model_provider(client_run: ClientRun, check: str) -> None:
    assert client_run("dify_plugin")[check] == {"valid": True}


def test_dify_refuses_a_model_that_is_not_there(client_run: ClientRun) -> None:
    seen = client_run("dify_plugin")["unknown_model"]
    assert "CredentialsValidateFailedError" in seen["raised"]
    assert "404" in seen["message"]


def test_dify_streams_with_usage_although_it_did_not_ask(client_run: ClientRun) -> None:
    assert_stream(client_run("dify_plugin")["stream_without_options"])


def test_dify_sends_every_thinking_switch_at_once(client_run: ClientRun) -> None:
    assert_answer(client_run("dify_plugin")["thinking_switches"])


@pytest.mark.parametrize("way", ["auto", "auto_streamed"])
def test_dify_offers_tools_and_gets_words_or_a_call(client_run: ClientRun, way: str) -> None:
    seen = client_run("dify_plugin")["tools"][way]
    assert seen["calls"] or seen.get("text") or seen.get("pieces")
    for call in seen["calls"]:
        assert call["function"]["name"] == "get_weather"
        assert_weather(call["function"]["arguments"])


def test_dify_gets_json_that_matches_its_schema(client_run: ClientRun) -> None:
    assert_verdict(client_run("dify_plugin")["json_mode"]["text"])


def test_dify_embeds(client_run: ClientRun) -> None:
    assert len(client_run("dify_plugin")["embeddings"]["vector"]) > 1
