"""Every way to ask wrongly has its status and code, and the next request on the same connection is served."""

from __future__ import annotations

import msgspec
import pytest

from seekway.core.sections.gateway import GatewaySettings
from tests.fakes.backend import FakeBackend, model_info
from tests.integration.gateway.served import serving

CHAT, FIM, EMBED, RERANK = "/v1/chat/completions", "/beta/completions", "/v1/embeddings", "/v1/rerank"
TURN = '"model":"fake","messages":[{"role":"user","content":"hi"}]'
TOOL = '{"type":"function","function":{"name":"f"}}'
Row = tuple[str, str | bytes, int, str, str | None]


def turn(more: str) -> str:
    return "{" + TURN + "," + more + "}"


def messages(wire: str) -> str:
    return '{"model":"fake","messages":' + wire + "}"


def tools(function: str) -> str:
    return turn('"tools":[{"type":"function","function":' + function + "}]")


def strict(schema: str) -> str:
    return tools('{"name":"f","strict":true,"parameters":' + schema + "}")


ROWS: list[Row] = [
    ("empty body", b"", 400, "invalid_json", None),
    ("broken JSON", b'{"model"', 400, "invalid_json", None),
    ("not an object", b"[]", 400, "invalid_request_error", None),
    ("invalid UTF-8", b'{"model":"\xff"}', 400, "invalid_json", None),
    ("invalid UTF-8 in an unknown field", turn('"x":"').encode()[:-1] + b'\xff"}', 400, "invalid_json", None),
    ("lone surrogate", '{"model":"\\ud800"}', 400, "invalid_json", None),
    ("NaN", turn('"temperature":NaN'), 400, "invalid_json", None),
    ("deep nesting", turn('"x":' + "[" * 50000 + "]" * 50000), 400, "invalid_json", None),
    ("huge number", turn('"temperature":1e999'), 422, "invalid_parameter", "temperature"),
    ("huge integer", turn('"max_tokens":' + "9" * 40), 422, "invalid_parameter", "max_tokens"),
    ("no model", '{"messages":[{"role":"user","content":"hi"}]}', 422, "invalid_parameter", "model"),
    ("no messages", '{"model":"fake"}', 422, "invalid_parameter", "messages"),
    ("empty messages", messages("[]"), 422, "invalid_parameter", "messages"),
    ("unknown model", turn('"model":"nobody"'), 404, "model_not_found", "model"),
    ("chat with an embedder", turn('"model":"embedder"'), 400, "invalid_request_error", "model"),
    ("unknown role", messages('[{"role":"god","content":""}]'), 422, "invalid_parameter", "messages[0].role"),
    ("no content", messages('[{"role":"user"}]'), 422, "invalid_parameter", "messages[0].content"),
    ("no parts", messages('[{"role":"user","content":[]}]'), 422, "invalid_parameter", "messages[0].content"),
    (
        "unknown part",
        messages('[{"role":"user","content":[{"type":"smell"}]}]'),
        422,
        "invalid_parameter",
        "messages[0].content[0].type",
    ),
    (
        "image in system",
        messages('[{"role":"system","content":[{"type":"image_url","image_url":{"url":"data:"}}]}]'),
        400,
        "invalid_request_error",
        "messages[0].content",
    ),
    (
        "too many images",
        messages(
            '[{"role":"user","content":[' + ",".join(['{"type":"image_url","image_url":{"url":"data:"}}'] * 601) + "]}]"
        ),
        400,
        "invalid_request_error",
        "messages",
    ),
    (
        "file without a source",
        messages('[{"role":"user","content":[{"type":"file","file":{}}]}]'),
        422,
        "invalid_parameter",
        "messages[0].content[0].file",
    ),
    (
        "tool without id",
        messages('[{"role":"tool","content":"1"}]'),
        422,
        "invalid_parameter",
        "messages[0].tool_call_id",
    ),
    (
        "tool without call",
        messages('[{"role":"tool","content":"1","tool_call_id":"x"}]'),
        400,
        "invalid_request_error",
        "messages[0].tool_call_id",
    ),
    (
        "prefix not last",
        messages('[{"role":"assistant","content":"a","prefix":true},{"role":"user","content":"b"}]'),
        400,
        "invalid_request_error",
        "messages[0].prefix",
    ),
    (
        "prefix of a user",
        messages('[{"role":"user","content":"a","prefix":true}]'),
        400,
        "invalid_request_error",
        "messages[0].prefix",
    ),
    ("thinking of no type", turn('"thinking":{"type":"perhaps"}'), 422, "invalid_parameter", "thinking.type"),
    ("unknown effort", turn('"reasoning_effort":"huge"'), 422, "invalid_parameter", "reasoning_effort"),
    (
        "thinking against effort",
        turn('"thinking":{"type":"enabled"},"reasoning_effort":"none"'),
        400,
        "invalid_request_error",
        "reasoning_effort",
    ),
    ("max_tokens 0", turn('"max_tokens":0'), 422, "invalid_parameter", "max_tokens"),
    ("max_tokens too large", turn('"max_tokens":393217'), 422, "invalid_parameter", "max_tokens"),
    ("max_tokens a text", turn('"max_tokens":"5"'), 422, "invalid_parameter", "max_tokens"),
    (
        "two bounds",
        turn('"max_tokens":1,"max_completion_tokens":2'),
        400,
        "invalid_request_error",
        "max_tokens",
    ),
    ("temperature too high", turn('"temperature":2.1'), 422, "invalid_parameter", "temperature"),
    ("temperature negative", turn('"temperature":-1'), 422, "invalid_parameter", "temperature"),
    ("top_p too high", turn('"top_p":1.1'), 422, "invalid_parameter", "top_p"),
    ("penalty too high", turn('"presence_penalty":3'), 422, "invalid_parameter", "presence_penalty"),
    ("unknown format", turn('"response_format":{"type":"xml"}'), 422, "invalid_parameter", "response_format.type"),
    (
        "JSON unmentioned",
        turn('"response_format":{"type":"json_object"}'),
        400,
        "invalid_request_error",
        "response_format",
    ),
    (
        "no schema",
        turn('"response_format":{"type":"json_schema"}'),
        422,
        "invalid_parameter",
        "response_format.json_schema.schema",
    ),
    ("empty stop", turn('"stop":[""]'), 422, "invalid_parameter", "stop[0]"),
    ("17 stops", turn('"stop":' + str(["a"] * 17).replace("'", '"')), 422, "invalid_parameter", "stop"),
    (
        "stream_options alone",
        turn('"stream_options":{"include_usage":true}'),
        400,
        "invalid_request_error",
        "stream_options",
    ),
    ("129 tools", turn('"tools":[' + ",".join([TOOL] * 129) + "]"), 422, "invalid_parameter", "tools"),
    ("tool twice", turn(f'"tools":[{TOOL},{TOOL}]'), 400, "invalid_request_error", "tools[1].function.name"),
    ("tool name", tools('{"name":"a b"}'), 422, "invalid_parameter", "tools[0].function.name"),
    ("tool type", turn('"tools":[{"type":"web_search"}]'), 400, "unsupported_parameter", "tools[0]"),
    ("tool of nothing", turn('"tools":[{"type":"function"}]'), 422, "invalid_parameter", "tools[0].function"),
    (
        "tool parameters",
        tools('{"name":"f","parameters":{"type":"array"}}'),
        400,
        "invalid_request_error",
        "tools[0].function.parameters",
    ),
    (
        "strict, not all required",
        strict('{"type":"object","properties":{"a":{"type":"string"}},"additionalProperties":false}'),
        400,
        "invalid_request_error",
        "tools[0].function.parameters",
    ),
    (
        "strict, open",
        strict('{"type":"object","properties":{}}'),
        400,
        "invalid_request_error",
        "tools[0].function.parameters",
    ),
    (
        "strict, unknown type",
        strict('{"type":"object","properties":{"a":{"type":"date"}},"required":["a"],"additionalProperties":false}'),
        400,
        "invalid_request_error",
        "tools[0].function.parameters.properties.a",
    ),
    (
        "some strict",
        turn('"tools":[' + TOOL + ',{"type":"function","function":{"name":"g","strict":true}}]'),
        400,
        "invalid_request_error",
        "tools",
    ),
    ("tool_choice unknown", turn('"tool_choice":"any"'), 422, "invalid_parameter", "tool_choice"),
    ("tool_choice without tools", turn('"tool_choice":"required"'), 400, "invalid_request_error", "tool_choice"),
    (
        "tool_choice of another",
        turn('"tools":[' + TOOL + '],"tool_choice":{"type":"function","function":{"name":"g"}}'),
        400,
        "invalid_request_error",
        "tool_choice",
    ),
    (
        "tool forced while thinking",
        turn('"model":"thinker","thinking":{"type":"enabled"},"tool_choice":"required","tools":[' + TOOL + "]"),
        400,
        "invalid_request_error",
        "tool_choice",
    ),
    ("functions", turn('"functions":[{"name":"f"}]'), 400, "unsupported_parameter", "functions"),
    ("top_logprobs alone", turn('"top_logprobs":2'), 400, "invalid_request_error", "top_logprobs"),
    ("21 top_logprobs", turn('"logprobs":true,"top_logprobs":21'), 422, "invalid_parameter", "top_logprobs"),
    ("two answers", turn('"n":2'), 400, "unsupported_parameter", "n"),
    ("long user_id", turn('"user_id":"' + "é" * 257 + '"'), 422, "invalid_parameter", "user_id"),
]

OTHER_ROWS: list[tuple[str, str, str, int, str, str | None]] = [
    (FIM, "no prompt", '{"model":"fake"}', 422, "invalid_parameter", "prompt"),
    (FIM, "over 4K", '{"model":"fake","prompt":"a","max_tokens":4097}', 422, "invalid_parameter", "max_tokens"),
    (
        "/v1/completions",
        "suffix over 4K",
        '{"model":"fake","prompt":"a","suffix":"b","max_tokens":4097}',
        422,
        "invalid_parameter",
        "max_tokens",
    ),
    (FIM, "no fill-in model", '{"model":"embedder","prompt":"a","suffix":"b"}', 400, "invalid_request_error", "model"),
    (FIM, "two prompts", '{"model":"fake","prompt":["a","b"]}', 400, "unsupported_parameter", "prompt"),
    (FIM, "no prompt in the list", '{"model":"fake","prompt":[]}', 400, "unsupported_parameter", "prompt"),
    (FIM, "logprobs", '{"model":"fake","prompt":"a","logprobs":21}', 422, "invalid_parameter", "logprobs"),
    (FIM, "logprobs true", '{"model":"fake","prompt":"a","logprobs":true}', 422, "invalid_parameter", "logprobs"),
    (FIM, "best_of", '{"model":"fake","prompt":"a","best_of":2}', 400, "unsupported_parameter", "best_of"),
    (
        FIM,
        "stream_options",
        '{"model":"fake","prompt":"a","stream_options":{}}',
        400,
        "invalid_request_error",
        "stream_options",
    ),
    (EMBED, "no input", '{"model":"fake"}', 422, "invalid_parameter", "input"),
    (EMBED, "no texts", '{"model":"fake","input":[]}', 422, "invalid_parameter", "input"),
    (EMBED, "empty text", '{"model":"fake","input":["a",""]}', 422, "invalid_parameter", "input"),
    (EMBED, "token ids", '{"model":"fake","input":[1,2]}', 400, "unsupported_parameter", "input"),
    (
        EMBED,
        "encoding",
        '{"model":"fake","input":"a","encoding_format":"hex"}',
        422,
        "invalid_parameter",
        "encoding_format",
    ),
    (EMBED, "dimensions", '{"model":"fake","input":"a","dimensions":0}', 422, "invalid_parameter", "dimensions"),
    (EMBED, "unknown model", '{"model":"nobody","input":"a"}', 404, "model_not_found", "model"),
    (RERANK, "no query", '{"model":"fake","documents":["a"]}', 422, "invalid_parameter", "query"),
    (RERANK, "no documents", '{"model":"fake","query":"a","documents":[]}', 422, "invalid_parameter", "documents"),
    (
        RERANK,
        "document of nothing",
        '{"model":"fake","query":"a","documents":[{}]}',
        422,
        "invalid_parameter",
        "documents[0].text",
    ),
    (RERANK, "top_n", '{"model":"fake","query":"a","documents":["a"],"top_n":0}', 422, "invalid_parameter", "top_n"),
    (
        RERANK,
        "cannot rerank",
        '{"model":"embedder","query":"a","documents":["a"]}',
        400,
        "invalid_request_error",
        "model",
    ),
    ("/v1/nothing", "no such route", "{}", 404, "not_found", None),
    ("/v1/models", "wrong verb", "{}", 405, "method_not_allowed", None),
]


def backend() -> FakeBackend:
    thinker = msgspec.structs.replace(model_info("thinker"), capabilities=("chat", "reasoning", "tools"))
    embedder = msgspec.structs.replace(model_info("embedder"), capabilities=("embed",))
    return FakeBackend(models=(model_info("fake"), thinker, embedder))


@pytest.mark.parametrize("rows", [[(CHAT, *row) for row in ROWS], OTHER_ROWS], ids=["chat", "others"])
async def test_a_bad_request_is_answered_and_the_next_one_served(
    rows: list[tuple[str, str, str | bytes, int, str, str | None]],
) -> None:
    failures: list[str] = []
    async with serving(backend()) as served, served.connect() as connection:
        for path, name, body, status, code, param in rows:
            answer = await connection.ask("POST", path, body.encode() if isinstance(body, str) else body)
            if (answer.status, *answer.error()) != (status, code, param):
                failures.append(f"{name}: {answer.status} {answer.body!r}")
            served_next = await connection.ask("POST", CHAT, ("{" + TURN + "}").encode())
            assert served_next.status == 200, name
    assert not failures, "\n".join(failures)


async def test_a_body_over_the_limit_is_413_with_its_length_known() -> None:
    async with serving(gateway=GatewaySettings(max_body_bytes=2048)) as served:
        async with served.connect() as connection:
            answer = await connection.ask("POST", CHAT, b"x" * 4000)
            assert (answer.status, answer.error()[0]) == (413, "body_too_large")
            assert answer.headers["connection"] == "close"
            assert await connection.reader.read() == b""
        assert (await served.ask("POST", CHAT, ("{" + TURN + "}").encode())).status == 200


async def test_a_body_over_the_limit_is_413_when_chunked_without_end() -> None:
    async with serving(gateway=GatewaySettings(max_body_bytes=2048)) as served, served.connect() as connection:
        connection.writer.write(f"POST {CHAT} HTTP/1.1\r\nhost: t\r\ntransfer-encoding: chunked\r\n\r\n".encode())
        for _ in range(10):
            connection.writer.write(b"400\r\n" + b"x" * 1024 + b"\r\n")
        answer = await connection.answer()
        assert (answer.status, answer.error()[0]) == (413, "body_too_large")


async def test_a_body_that_does_not_come_is_408() -> None:
    async with serving(gateway=GatewaySettings(request_timeout_s=0.1)) as served, served.connect() as connection:
        connection.writer.write(f"POST {CHAT} HTTP/1.1\r\nhost: t\r\ncontent-length: 9\r\n\r\n".encode())
        answer = await connection.answer()
        assert (answer.status, answer.error()[0]) == (408, "request_timeout")


@pytest.mark.parametrize(
    "more",
    [
        '"unknown":{"a":[1]}',
        '"temperature":2,"top_p":0,"frequency_penalty":2,"presence_penalty":-2',
        '"stop":"a"',
        '"stop":null,"tools":null,"tool_choice":null,"response_format":null,"user":null',
        '"max_completion_tokens":5',
        '"thinking":{"type":"enabled"},"reasoning_effort":"ultra"',
        '"enable_thinking":true,"chat_template_kwargs":{"thinking":true}',
        '"response_format":{"type":"json_object"},"messages":[{"role":"user","content":[{"type":"text","text":"Json"}]}]',
        '"messages":[{"role":"developer","content":"a"},{"role":"user","content":"b"},{"role":"assistant","content":"c","prefix":true}]',
        '"n":1,"logprobs":true,"top_logprobs":20,"seed":-5',
    ],
)
async def test_what_is_documented_is_taken(more: str) -> None:
    async with serving() as served:
        for headers in ((), ("content-type: text/plain",)):
            answer = await served.ask("POST", CHAT, turn(more).encode(), headers)
            assert answer.status == 200, answer.body
