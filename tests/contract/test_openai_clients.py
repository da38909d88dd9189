"""The ``openai`` packages for Python and Node work against Seekway unchanged."""

from __future__ import annotations

import base64
import struct
from typing import Any

import pytest

from tests.contract.conftest import ClientRun
from tests.contract.judgements import (
    assert_answer,
    assert_refused,
    assert_stream,
    assert_usage,
    assert_verdict,
    assert_weather,
)

pytestmark = [pytest.mark.clients, pytest.mark.timeout(600)]
BOTH = pytest.mark.parametrize("client", ["openai", "node_openai"])


@BOTH
def test_models_are_listed(client_run: ClientRun, client: str, embed_model: str) -> None:
    assert embed_model in client_run(client)["models"]["ids"]


@BOTH
def test_chat_answers(client_run: ClientRun, client: str) -> None:
    seen = client_run(client)["chat"]
    assert_answer(seen)
    assert seen["object"] == "chat.completion"


@BOTH
def test_chat_streams(client_run: ClientRun, client: str) -> None:
    assert_stream(client_run(client)["stream"])


@BOTH
def test_streamed_and_whole_answers_are_the_same_words(client_run: ClientRun, client: str) -> None:
    seen = client_run(client)
    assert "".join(seen["stream"]["pieces"]) == seen["chat"]["text"]


@BOTH
def test_json_matches_its_schema(client_run: ClientRun, client: str) -> None:
    seen = client_run(client)["json_mode"]
    assert_verdict((seen.get("schema") or seen)["text"])


@BOTH
def test_a_named_tool_is_called_with_arguments_that_match(client_run: ClientRun, client: str) -> None:
    (call,) = client_run(client)["tools"]["calls"]
    assert (call["type"], call["function"]["name"]) == ("function", "get_weather")
    assert call["id"]
    assert_weather(call["function"]["arguments"])


@BOTH
def test_an_unknown_model_is_not_found(client_run: ClientRun, client: str) -> None:
    assert_refused(client_run(client)["unknown_model"], {404}, "NotFoundError")


@BOTH
def test_a_bad_parameter_is_refused(client_run: ClientRun, client: str) -> None:
    refused = client_run(client)["bad_parameter"]
    assert_refused(refused, {400, 422}, "BadRequestError", "UnprocessableEntityError")


def test_no_messages_are_a_bad_request(client_run: ClientRun) -> None:
    refused = client_run("openai")["bad_messages"]
    assert_refused(refused, {400, 422}, "BadRequestError", "UnprocessableEntityError")


def test_the_base_address_without_v1_answers_too(client_run: ClientRun) -> None:
    assert_answer(client_run("openai")["base_without_v1"])


def test_chunks_say_what_they_are(client_run: ClientRun) -> None:
    assert client_run("openai")["stream"]["objects"] == ["chat.completion.chunk"]


def test_thinking_can_be_switched(client_run: ClientRun) -> None:
    seen = client_run("openai")["thinking"]
    assert_answer(seen["disabled"])
    assert not seen["disabled"]["reasoning"]
    assert "raised" not in seen
    assert_usage(seen["enabled"]["usage"])


def test_node_sends_thinking_too(client_run: ClientRun) -> None:
    assert_answer(client_run("node_openai")["thinking"])


def test_a_stop_string_ends_the_answer_and_is_not_in_it(client_run: ClientRun) -> None:
    seen = client_run("openai")["stop"]
    assert seen["stopped"]["finish"] == "stop"
    assert seen["word"] not in seen["stopped"]["text"]
    assert seen["whole"].startswith(seen["stopped"]["text"])


def test_max_tokens_end_the_answer(client_run: ClientRun) -> None:
    seen = client_run("openai")["length"]
    assert seen["finish"] == "length"
    assert seen["usage"]["completion_tokens"] == 3


def test_logprobs_come_for_each_token(client_run: ClientRun) -> None:
    seen = client_run("openai")["logprobs"]
    assert 0 < len(seen["tokens"]) <= 6
    assert all(token["logprob"] <= 0 for token in seen["tokens"])
    assert b"".join(bytes(token["bytes"]) for token in seen["tokens"]).decode() == seen["text"]


def test_json_object_mode_gives_an_object(client_run: ClientRun) -> None:
    text: str = client_run("openai")["json_mode"]["object"]["text"]
    assert text.strip().startswith("{")


def test_a_tool_call_streams_in_pieces_that_join(client_run: ClientRun) -> None:
    streamed = client_run("openai")["tools"]["streamed"]
    pieces: list[dict[str, Any]] = streamed["calls"]
    assert [piece["function"]["name"] for piece in pieces if piece["function"]["name"]] == ["get_weather"]
    assert len({piece["id"] for piece in pieces if piece["id"]}) == 1
    assert_weather("".join(piece["function"]["arguments"] or "" for piece in pieces))


def test_a_tools_answer_is_taken_back(client_run: ClientRun) -> None:
    after = client_run("openai")["tools"]["after"]
    assert "raised" not in after
    assert_usage(after["usage"])


def test_embeddings_are_the_same_as_numbers_and_as_base64(client_run: ClientRun) -> None:
    seen = client_run("openai")["embeddings"]
    floats: list[list[float]] = seen["floats"]
    assert len(floats) == 3
    assert seen["default"] == [pytest.approx(vector, abs=1e-6) for vector in floats]
    raw = base64.b64decode(seen["base64"]["data"][0]["embedding"])
    assert struct.unpack(f"<{len(raw) // 4}f", raw) == pytest.approx(floats[0], abs=1e-4)
    assert seen["usage"]["prompt_tokens"] > 0


def test_alike_texts_have_alike_embeddings(client_run: ClientRun) -> None:
    cat, small_cat, tax = client_run("openai")["embeddings"]["floats"]
    assert _cosine(cat, small_cat) > _cosine(cat, tax)


def test_node_reads_embeddings_in_both_encodings(client_run: ClientRun) -> None:
    seen = client_run("node_openai")["embeddings"]
    assert seen["standard"] == pytest.approx(seen["floats"], abs=1e-6)


def test_a_prefix_is_continued_on_the_beta_address(client_run: ClientRun) -> None:
    seen = client_run("openai")["prefix"]
    assert "raised" not in seen
    assert not seen["text"].startswith("The sea looks")
    assert_usage(seen["usage"])


def test_fill_in_the_middle_answers_or_says_that_the_model_cannot(client_run: ClientRun) -> None:
    seen = client_run("openai")["fim"]
    if "raised" in seen:
        assert_refused(seen, {400, 422}, "BadRequestError", "UnprocessableEntityError")
    else:
        assert seen["object"] == "text_completion"


def test_raw_completions_answer(client_run: ClientRun) -> None:
    seen = client_run("openai")["completion"]
    assert seen["object"] == "text_completion"
    assert seen["text"]


def test_an_abandoned_stream_harms_nothing_after_it(client_run: ClientRun) -> None:
    assert_usage(client_run("openai")["abandoned_stream"]["usage"])


def _cosine(a: list[float], b: list[float]) -> float:
    dot = sum(x * y for x, y in zip(a, b, strict=True))
    return dot / (sum(x * x for x in a) * sum(y * y for y in b)) ** 0.5
