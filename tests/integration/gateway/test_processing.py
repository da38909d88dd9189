"""Over HTTP, streamed or whole, the processing stages do to requests and answers what the settings say."""

from __future__ import annotations

import json

import msgspec
import pytest

from seekway.core.sections.processing import (
    Change,
    CitationRule,
    JsonRule,
    PostProcessRule,
    ProcessingSettings,
    TemplateRule,
    ThinkingRule,
    TrimRule,
)
from seekway.core.types import GenerateRequest
from tests.fakes.backend import FakeBackend, reply
from tests.integration.gateway import served
from tests.integration.gateway.served import Answer, serving

CHAT = "/v1/chat/completions"
PROCESSING = ProcessingSettings(
    detect_language=True,
    templates=(
        TemplateRule(
            name="desk",
            apps=("desk",),
            system="You serve {{ brand }}.",
            user="Q: {{ text }}",
            variables={"brand": "Acme"},
        ),
    ),
    trim=(TrimRule(apps=("short",), context_tokens=120, answer_tokens=20),),
    thinking=(ThinkingRule(apps=("think",)),),
    json=(JsonRule(),),
    citations=(CitationRule(),),
    post_process=(
        PostProcessRule(
            name="plain",
            apps=("plain",),
            steps=(Change(kind="strip_markdown"), Change(kind="trim"), Change(kind="append", text="\n(AI)")),
        ),
    ),
)


@pytest.fixture(autouse=True)
def processed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gateways of these tests process what passes."""
    monkeypatch.setattr(served, "PROCESSING", PROCESSING)


def body(*texts: str, stream: bool, **fields: object) -> bytes:
    """A conversation of user and assistant in turns."""
    messages = [{"role": ("user", "assistant")[at % 2], "content": text} for at, text in enumerate(texts)]
    return msgspec.json.encode({"model": "fake", "messages": messages, "stream": stream} | fields)


def said(answer: Answer, field: str = "content") -> str:
    if "event-stream" not in answer.headers["content-type"]:
        return msgspec.json.decode(answer.body)["choices"][0]["message"].get(field) or ""
    assert answer.body.endswith(b"data: [DONE]\n\n")
    lines = [line[6:] for line in answer.body.split(b"\n") if line.startswith(b"data: {")]
    deltas = [choice["delta"] for line in lines for choice in msgspec.json.decode(line)["choices"]]
    return "".join(delta.get(field) or "" for delta in deltas)


both = pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])


@both
async def test_a_long_conversation_is_trimmed_and_told(stream: bool) -> None:
    async with serving() as gateway:
        asked = body("old " * 60, "older answer " * 20, "and now?", stream=stream)
        answer = await gateway.ask("POST", CHAT, asked, ["x-seekway-app: short"])
        whole = await gateway.ask("POST", CHAT, asked)
        log = gateway.log()
    assert said(answer) == said(whole) == "Hello, world!"
    assert answer.headers["x-seekway-trimmed"].startswith("messages=2; tokens=")
    assert "x-seekway-trimmed" not in whole.headers
    trimmed, untouched = (r for r in gateway.backend.requests if isinstance(r, GenerateRequest))
    assert [m.content for m in trimmed.messages] == ["and now?"]
    assert len(untouched.messages) == 3
    assert log.count('"trimmed_messages":2') == 1


@both
async def test_a_template_is_put_around_the_question(stream: bool) -> None:
    async with serving() as gateway:
        asked = body("Where?", stream=stream, template_variables={"brand": "Nova"})
        await gateway.ask("POST", CHAT, asked, ["x-seekway-app: desk"])
        refused = await gateway.ask(
            "POST", CHAT, body("x", stream=stream, template_variables={"no": 1}), ["x-seekway-app: desk"]
        )
    [request] = gateway.backend.requests
    assert isinstance(request, GenerateRequest)
    assert [m.content for m in request.messages] == ["You serve Nova.", "Q: Where?"]
    assert "template_variables" not in request.extra
    assert (refused.status, refused.error()[1]) == (400, "template_variables")


@both
async def test_json_is_mended_where_it_was_asked_for(stream: bool) -> None:
    backend = FakeBackend(reply("```json\n", '{"a": [1,', " 2,], 'b'", ': "cut'))
    async with serving(backend) as gateway:
        asked = body("give json", stream=stream, response_format={"type": "json_object"})
        mended = await gateway.ask("POST", CHAT, asked)
        text = await gateway.ask("POST", CHAT, body("give text", stream=stream))
    assert json.loads(said(mended)) == {"a": [1, 2], "b": "cut"}
    assert said(text).startswith("```json")


@both
async def test_citations_get_one_form(stream: bool) -> None:
    async with serving(FakeBackend(reply("As said 【1", "†source】 and [citation", ":2]."))) as gateway:
        answer = await gateway.ask("POST", CHAT, body("why", stream=stream))
    assert said(answer) == "As said [1] and [2]."
    assert answer.headers["x-seekway-language"] == "en"


@both
async def test_thinking_left_in_the_text_is_reasoning(stream: bool) -> None:
    async with serving(FakeBackend(reply("<thi", "nk>hm</think>", "\n\nyes"))) as gateway:
        answer = await gateway.ask("POST", CHAT, body("why", stream=stream), ["x-seekway-app: think"])
    assert (said(answer), said(answer, "reasoning_content")) == ("yes", "hm")


@both
async def test_an_app_gets_plain_text(stream: bool) -> None:
    async with serving(FakeBackend(reply("# Ti", "tle\n*", "*bold", "**  "))) as gateway:
        answer = await gateway.ask("POST", CHAT, body("hi", stream=stream), ["x-seekway-app: plain"])
    assert said(answer) == "Title\nbold\n(AI)"
