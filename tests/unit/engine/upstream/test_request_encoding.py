"""The short way of encoding a request says what the long way says, and heads say no more than they should."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seekway.core.errors import InvalidRequest, UnsupportedParameter
from seekway.core.sections.backends import BackendSettings
from seekway.core.types import (
    GenerateRequest,
    Message,
    ResponseFormat,
    Sampling,
    TextPart,
    Thinking,
    Tool,
    ToolCall,
)
from seekway.engine.upstream.dialing import origin_of, target_of
from seekway.engine.upstream.request_body import generate_request
from seekway.engine.upstream.request_encoding import RequestEncoder
from seekway.engine.upstream.transport import Transport

SERVERS = [
    BackendSettings("cloud", "https://api.deepseek.com/", kind="deepseek"),
    BackendSettings("vllm", "http://127.0.0.1:8000/v1"),
    BackendSettings("openai", "https://api.openai.com/v1"),
]


def encoded(request: GenerateRequest, settings: BackendSettings) -> tuple[str, dict[str, str], Any]:
    """Request line, headers and body of what goes over the wire."""
    payload = RequestEncoder(settings, Transport(settings, "sk-key")).encode(request)
    head, _, body = payload.partition(b"\r\n\r\n")
    line, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    assert len(headers) == len(lines)
    assert int(headers["content-length"]) == len(body)
    return line, headers, json.loads(body, object_pairs_hook=_without_repetition)


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    assert len({name for name, _ in pairs}) == len(pairs)
    return dict(pairs)


def reference(request: GenerateRequest, settings: BackendSettings) -> tuple[str, Any]:
    wire = generate_request(request, settings)
    return target_of(wire.url), msgspec.json.decode(msgspec.json.encode(wire.body))


NUMBERS = st.none() | st.floats(0, 2)
COUNTS = st.none() | st.integers(0, 9)
SAMPLINGS = st.builds(
    Sampling, NUMBERS, NUMBERS, COUNTS, NUMBERS, NUMBERS, NUMBERS, COUNTS,
    st.lists(st.text(max_size=3), max_size=2).map(tuple), COUNTS, COUNTS,
)  # fmt: skip
TEXTS = st.text(st.characters(codec="utf-8"), max_size=8)
MESSAGES = st.builds(
    Message,
    st.sampled_from(["system", "user", "assistant", "tool"]),
    TEXTS | st.just((TextPart("part"),)),
    st.none() | TEXTS,
    st.none() | TEXTS,
    st.sampled_from([(), (ToolCall("a", "add", "{}"),)]),
    st.none() | TEXTS,
)
NAMES = st.sampled_from(
    ["x", "stream", "stream_options", "max_completion_tokens", "model", "logit_bias", "n", "user", "stop"]
)


@given(
    st.builds(
        GenerateRequest,
        id=st.just("r"),
        model=TEXTS,
        messages=st.lists(MESSAGES, min_size=1, max_size=3).map(tuple),
        sampling=SAMPLINGS,
        tools=st.sampled_from([(), (Tool("add", strict=True),)]),
        response_format=st.sampled_from([ResponseFormat(), ResponseFormat("json_object")]),
        thinking=st.sampled_from([Thinking(), Thinking(enabled=True), Thinking(effort="max")]),
        user_id=st.none() | TEXTS,
        stream=st.booleans(),
        extra=st.dictionaries(NAMES, st.just(1), max_size=3),
    ),
    st.sampled_from(SERVERS),
)
def test_the_short_way_says_what_the_long_way_says(request: GenerateRequest, settings: BackendSettings) -> None:
    line, headers, body = encoded(request, settings)
    target, expected = reference(request, settings)
    assert line == f"POST {target} HTTP/1.1"
    assert body == expected
    assert headers["accept"] == ("text/event-stream" if request.stream else "application/json")


def test_a_plain_message_is_sent_without_what_it_does_not_have() -> None:
    messages = (Message("system", "be brief"), Message("user", ""), Message("user", "hi", name="ann"))
    _, headers, body = encoded(GenerateRequest("r", "m", messages), SERVERS[1])
    assert body["messages"] == [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": ""},
        {"role": "user", "content": "hi", "name": "ann"},
    ]
    assert headers == {
        "host": "127.0.0.1:8000", "user-agent": "seekway", "accept": "text/event-stream", "accept-encoding": "identity",
        "content-type": "application/json", "authorization": "Bearer sk-key", "content-length": headers["content-length"],
    }  # fmt: skip


def test_prompts_and_prefixes_go_to_their_own_addresses() -> None:
    line, _, body = encoded(GenerateRequest("r", "m", prompt="a", stream=False), SERVERS[0])
    assert (line, body["stream"]) == ("POST /beta/completions HTTP/1.1", False)
    prefix = (Message("user", "hi"), Message("assistant", "He", prefix=True))
    assert encoded(GenerateRequest("r", "m", prefix), SERVERS[0])[0] == "POST /beta/chat/completions HTTP/1.1"


@pytest.mark.parametrize("stream", [True, False])
def test_what_json_cannot_carry_is_the_clients_to_mend(stream: bool) -> None:
    hello = (Message("user", "hi"),)
    for request in (
        GenerateRequest("r", "m", (Message("user", "\ud800"),), stream=stream),
        GenerateRequest("r", "m", hello, extra={"x": object()}, stream=stream),
        GenerateRequest("r", "m", prompt="\ud800", stream=stream),
    ):
        with pytest.raises(InvalidRequest):
            encoded(request, SERVERS[1])
    with pytest.raises(UnsupportedParameter):
        encoded(GenerateRequest("r", "m", (Message("user", "hi"),), extra={"n": 2}), SERVERS[1])


@pytest.mark.parametrize(
    ("url", "host", "port", "authority"),
    [
        ("https://api.deepseek.com", "api.deepseek.com", 443, "api.deepseek.com"),
        ("http://127.0.0.1:8000/v1", "127.0.0.1", 8000, "127.0.0.1:8000"),
        ("http://[::1]:80/v1", "::1", 80, "[::1]"),
        ("http://[::1]:8000/v1", "::1", 8000, "[::1]:8000"),
        ("https://bücher.example:443/", "xn--bcher-kva.example", 443, "xn--bcher-kva.example"),
    ],
)
def test_an_address_is_taken_apart(url: str, host: str, port: int, authority: str) -> None:
    origin = origin_of(url)
    assert (origin.host, origin.port, origin.authority) == (host, port, authority)


def test_a_target_can_end_no_line() -> None:
    assert target_of("http://x/a b\r\nX: 1/é?q=1 2") == "/a%20bX:%201/%C3%A9?q=1%202"
    assert target_of("http://x") == "/"
