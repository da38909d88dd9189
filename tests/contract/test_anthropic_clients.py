"""The ``anthropic`` packages for Python and Node work against Seekway unchanged."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.contract.conftest import ClientRun
from tests.contract.judgements import assert_refused, assert_usage, assert_verdict, assert_weather

pytestmark = [pytest.mark.clients, pytest.mark.timeout(600)]
BOTH = pytest.mark.parametrize("client", ["anthropic", "node_anthropic"])
SCRIPTED = pytest.mark.parametrize("client", ["anthropic_scripted", "node_anthropic_scripted"])
BLOCK_KINDS = {"content_block_start", "content_block_delta", "content_block_stop"}


def assert_message(seen: dict[str, Any]) -> None:
    """A finished message with words in it."""
    assert "raised" not in seen, seen
    assert seen["type"] == "message"
    assert seen["id"].startswith("msg_")
    assert seen["text"].strip()
    assert seen["stop_reason"] in ("end_turn", "max_tokens")
    assert_usage(seen["usage"])


def call_of(message: dict[str, Any]) -> dict[str, Any]:
    """The one tool that was called, with arguments that match its schema."""
    (block,) = [block for block in message["blocks"] if block["type"] == "tool_use"]
    assert (message["stop_reason"], block["name"]) == ("tool_use", "get_weather")
    assert_weather(block["input"])
    return block


@BOTH
def test_a_message_is_answered_and_named(client_run: ClientRun, client: str) -> None:
    seen = client_run(client)["message"]
    assert_message(seen)
    assert seen["request_id"]


@BOTH
def test_a_stream_has_the_same_words_and_counts_as_the_whole_message(client_run: ClientRun, client: str) -> None:
    whole, stream = client_run(client)["message"], client_run(client)["stream"]
    assert len(stream["pieces"]) > 1
    assert "".join(stream["pieces"]) == stream["final"]["text"] == whole["text"]
    assert_message(stream["final"])
    for final in (whole, stream["final"]):
        usage = final["usage"]
        final["all_input"] = usage["input_tokens"] + usage["cache_read_input_tokens"]
    assert whole["all_input"] == stream["final"]["all_input"]


@BOTH
def test_events_come_in_anthropics_order(client_run: ClientRun, client: str) -> None:
    first, *blocks, delta, stop = client_run(client)["raw_stream"]["kinds"]
    assert (first, delta, stop) == ("message_start", "message_delta", "message_stop")
    assert set(blocks) == BLOCK_KINDS


@BOTH
def test_deepseeks_base_address_answers_too(client_run: ClientRun, client: str) -> None:
    assert_message(client_run(client)["deepseeks_base"])


@BOTH
def test_a_tool_is_called_streamed_and_answered(client_run: ClientRun, client: str) -> None:
    seen = client_run(client)["tools"]
    assert call_of(seen["called"])["id"]
    assert call_of(seen["streamed"]["final"])["id"]
    assert "raised" not in seen["after"]
    assert_usage(seen["after"]["usage"])


@BOTH
def test_json_matches_its_schema(client_run: ClientRun, client: str) -> None:
    assert_verdict(client_run(client)["structured"]["text"])


@BOTH
def test_thoughts_are_taken_back(client_run: ClientRun, client: str) -> None:
    for seen in client_run(client)["thinking"].values():
        assert_message(seen)


@BOTH
def test_a_count_is_what_the_message_then_uses(client_run: ClientRun, client: str) -> None:
    seen = client_run(client)["count"]
    used = seen["used"]
    assert seen["counted"]["estimated"] is False
    assert seen["counted"]["input_tokens"] == used["input_tokens"] + used["cache_read_input_tokens"] > 20


@BOTH
def test_an_unknown_model_is_not_found(client_run: ClientRun, client: str) -> None:
    assert_refused(client_run(client)["unknown_model"], {404}, "NotFoundError")


@BOTH
def test_a_bad_parameter_is_a_bad_request(client_run: ClientRun, client: str) -> None:
    seen = client_run(client)["bad_parameter"]
    assert_refused(seen, {400}, "BadRequestError")
    assert "temperature" in seen["message"]


def test_a_block_that_is_not_served_is_named(client_run: ClientRun) -> None:
    seen = client_run("anthropic")["bad_block"]
    assert_refused(seen, {400}, "BadRequestError")
    assert "messages[0].content[0].type" in seen["message"]


@pytest.mark.parametrize("check", ["bearer_token", "system", "claude_name"])
def test_other_ways_to_ask(client_run: ClientRun, check: str) -> None:
    assert_message(client_run("anthropic")[check])


def test_a_stop_sequence_ends_the_answer_and_is_named(client_run: ClientRun) -> None:
    seen = client_run("anthropic")["stop"]
    stopped = seen["stopped"]
    assert (stopped["stop_reason"], stopped["stop_sequence"]) == ("stop_sequence", seen["word"])
    assert seen["word"] not in stopped["text"]
    assert seen["whole"].startswith(stopped["text"])


def test_max_tokens_end_the_answer(client_run: ClientRun) -> None:
    seen = client_run("anthropic")["length"]
    assert seen["stop_reason"] == "max_tokens"
    assert seen["usage"]["output_tokens"] == 3


def test_a_last_assistant_message_is_continued(client_run: ClientRun) -> None:
    seen = client_run("anthropic")["prefill"]
    assert_message(seen)
    assert not seen["text"].startswith("The sea looks")


def test_an_abandoned_stream_harms_nothing_after_it(client_run: ClientRun) -> None:
    assert_usage(client_run("anthropic")["abandoned_stream"]["usage"])


@SCRIPTED
def test_thoughts_and_several_tools_arrive_whole_or_streamed_and_go_back(scripted_run: ClientRun, client: str) -> None:
    seen = scripted_run(client)["thinker"]
    for message in (seen["whole"], seen["streamed"]):
        thought, text, first, second = message["content"]
        assert (thought["type"], thought["thinking"], thought["signature"]) == ("thinking", "Let me look.", "unsigned")
        assert text["text"] == "I look it up."
        assert (first["id"], first["input"]) == ("t1", {"city": "Köln"})
        assert (second["id"], second["input"]) == ("t2", {})
        assert message["stop_reason"] == "tool_use"
        usage = message["usage"]
        assert (usage["input_tokens"], usage["cache_read_input_tokens"], usage["output_tokens"]) == (12, 8, 9)
        assert usage["output_tokens_details"]["thinking_tokens"] == 3
    turn: dict[str, Any] = json.loads(seen["echo"])[1]
    assert (turn["reasoning"], turn["content"]) == ("Let me look.", "I look it up.")
    assert [call["id"] for call in turn["tool_calls"]] == ["t1", "t2"]


@SCRIPTED
def test_thoughts_can_be_left_out(scripted_run: ClientRun, client: str) -> None:
    content = scripted_run(client)["hidden_thoughts"]["content"]
    assert [block["type"] for block in content] == ["text", "tool_use", "tool_use"]


@SCRIPTED
def test_a_filtered_answer_is_a_refusal(scripted_run: ClientRun, client: str) -> None:
    for message in scripted_run(client)["refused"].values():
        assert message["stop_reason"] == "refusal"


@SCRIPTED
def test_a_stream_that_breaks_raises_and_never_ends_well(scripted_run: ClientRun, client: str) -> None:
    seen = scripted_run(client)["broken"]
    assert not {"message_delta", "message_stop"} & set(seen["kinds"])
    assert seen["body"]["error"]["type"] == "api_error"
    assert seen["body"]["error"]["details"]["error_code"] == "engine_crashed"
    assert seen["body"]["request_id"]


@SCRIPTED
def test_an_overload_has_its_own_error(scripted_run: ClientRun, client: str) -> None:
    seen = scripted_run(client)["overloaded"]
    assert seen["status"] == 529
    assert seen["body"]["error"]["type"] == "overloaded_error"


@SCRIPTED
def test_an_estimate_says_so(scripted_run: ClientRun, client: str) -> None:
    assert scripted_run(client)["estimated"]["estimated"] is True
