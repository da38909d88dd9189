"""Each processing stage does what its rule says, to whom it says, and leaves everybody else alone."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seekway.core.errors import ConfigError, InvalidRequest
from seekway.core.sections.processing import (
    Change,
    CitationRule,
    JsonRule,
    Match,
    PostProcessRule,
    ProcessingSettings,
    TemplateRule,
    ThinkingRule,
    TrimRule,
)
from seekway.core.types import (
    Event,
    Finish,
    GenerateRequest,
    ImagePart,
    Message,
    ReasoningDelta,
    ResponseFormat,
    Sampling,
    TextDelta,
    TextPart,
    Tool,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from seekway.observability.record import RequestRecord
from seekway.pipeline.caller import Caller
from seekway.pipeline.directory import Member, Route
from seekway.pipeline.exchange import Exchange, Headers
from seekway.pipeline.stage import StreamFilter
from seekway.pipeline.stages.apply_template import ApplyTemplate
from seekway.pipeline.stages.detect_language import DetectLanguage
from seekway.pipeline.stages.format_citations import CitationStage
from seekway.pipeline.stages.matching import matches
from seekway.pipeline.stages.post_process import PostProcess
from seekway.pipeline.stages.processing import processing_stages
from seekway.pipeline.stages.repair_json import RepairJson
from seekway.pipeline.stages.separate_thinking import SeparateThinking
from seekway.pipeline.stages.trim_context import TrimContext
from tests.fakes.backend import FakeBackend, model_info
from tests.unit.pipeline.stages.cutting import pieces_of

TEXT = ResponseFormat()
END: tuple[Event, ...] = (Usage(1, 1), Finish("stop"))


def exchange(*, app: str | None = None, tenant: str = "t", tags: tuple[str, ...] = ()) -> Exchange:
    route = Route(Member("b", FakeBackend()), model_info("m"), "m")
    headers = Headers() if app is None else Headers([(b"x-seekway-app", app.encode())])
    return Exchange(RequestRecord("r"), Caller(tenant=tenant, tags=tags), headers, route=route)


def ask(
    *messages: Message,
    answer: ResponseFormat = TEXT,
    tools: tuple[Tool, ...] = (),
    max_tokens: int | None = None,
    extra: dict[str, object] | None = None,
) -> GenerateRequest:
    sampling = Sampling(max_tokens=max_tokens)
    told = messages or (Message("user", "hi"),)
    return GenerateRequest("1", "m", told, sampling=sampling, response_format=answer, tools=tools, extra=extra or {})


def passed(stream: StreamFilter | None, events: Iterable[Event], batch: int = 1) -> list[Event]:
    """The events of an answer behind a stage, ``batch`` at a time."""
    assert stream is not None
    given = list(events)
    out: list[Event] = []
    for start in range(0, len(given), batch):
        out += stream.feed(given[start : start + batch])
    return [*out, *stream.end()]


def joined(events: Sequence[Event]) -> tuple[str, str, str]:
    """Text, reasoning and arguments."""
    text = "".join(event.text for event in events if isinstance(event, TextDelta))
    reasoning = "".join(event.text for event in events if isinstance(event, ReasoningDelta))
    return text, reasoning, "".join(event.arguments for event in events if isinstance(event, ToolCallDelta))


def texts(pieces: Iterable[str]) -> list[Event]:
    return [*map(TextDelta, pieces), *END]


@pytest.mark.parametrize(
    ("rule", "fits"),
    [
        (Match(), True),
        (Match(tenants=("t",), models=("m",), tags=("a", "b"), apps=("shop",)), True),
        (Match(tenants=("other",)), False),
        (Match(models=("other",)), False),
        (Match(tags=("c",)), False),
        (Match(apps=("desk",)), False),
    ],
)
def test_a_rule_matches_when_all_its_conditions_hold(rule: Match, fits: bool) -> None:
    assert matches(rule, ask(), exchange(app="shop", tags=("b",))) is fits


def test_nothing_is_done_unless_it_is_asked_for() -> None:
    assert processing_stages(ProcessingSettings()) == ((), (), ())


class TestTrimming:
    TALK = (
        Message("system", "Be brief."),
        Message("user", "first " * 100),
        Message("assistant", "answer " * 100),
        Message("user", "look it up"),
        Message("assistant", tool_calls=(ToolCall("c", "search", "{}"),)),
        Message("tool", "found " * 100, tool_call_id="c"),
        Message("assistant", "here"),
        Message("user", "last question"),
    )

    def trimmed(self, tokens: int, talk: tuple[Message, ...] = TALK, of: Exchange | None = None) -> tuple[Message, ...]:
        stage = TrimContext((TrimRule(context_tokens=tokens, answer_tokens=50),))
        return stage(ask(*talk), of or exchange()).messages

    def test_oldest_turns_go_first_and_whole(self) -> None:
        of = exchange()
        left = self.trimmed(450, of=of)
        assert left == (self.TALK[0], *self.TALK[3:])
        assert of.record.trimmed_messages == 2
        assert of.response_headers == [(b"x-seekway-trimmed", b"messages=2; tokens=398")]

    def test_a_call_goes_with_its_results(self) -> None:
        assert self.trimmed(150) == (self.TALK[0], self.TALK[7])

    def test_system_and_last_user_message_stay_whatever_the_context(self) -> None:
        assert self.trimmed(1) == (self.TALK[0], self.TALK[7])

    def test_of_the_turn_under_way_the_oldest_calls_go_but_not_the_last(self) -> None:
        calls = [
            message
            for name in "abc"
            for message in (
                Message("assistant", tool_calls=(ToolCall(name, "search", "{}"),)),
                Message("tool", "found " * 100, tool_call_id=name),
            )
        ]
        talk = (Message("user", "q"), *calls)
        assert self.trimmed(500, talk) == (talk[0], *calls[2:])
        assert self.trimmed(10, talk) == (talk[0], *calls[4:])

    def test_what_fits_is_not_touched(self) -> None:
        of, request = exchange(), ask(*self.TALK)
        assert TrimContext((TrimRule(),))(request, of) is request
        assert of.response_headers == []

    @given(st.lists(st.sampled_from(TALK), min_size=1, max_size=12), st.integers(1, 600))
    def test_what_is_left_keeps_its_order(self, talk: list[Message], tokens: int) -> None:
        left = self.trimmed(tokens, tuple(talk))
        rest = iter(talk)
        assert all(message in rest for message in left)
        assert [m for m in left if m.role == "system"] == [m for m in talk if m.role == "system"]


class TestTemplates:
    RULE = TemplateRule(
        name="shop",
        system="You serve {{ brand }} in {{ language or 'any language' }}; today is {{ date }}.",
        user="Question: {{ text }}",
        variables={"brand": "Acme"},
    )

    def applied(self, request: GenerateRequest, rule: TemplateRule = RULE) -> GenerateRequest:
        return ApplyTemplate((rule,), lambda: datetime.date(2026, 11, 22))(request, exchange())

    def test_system_and_user_text_are_put_around(self) -> None:
        got = self.applied(ask(Message("system", "Be kind."), Message("user", "Where?")))
        assert [m.content for m in got.messages] == [
            "You serve Acme in any language; today is 2026-11-22.\n\nBe kind.",
            "Question: Where?",
        ]

    @pytest.mark.parametrize(("place", "wanted"), [("after", "own\n\nours"), ("instead", "ours"), ("if_none", "own")])
    def test_the_systems_place(self, place: str, wanted: str) -> None:
        rule = TemplateRule(name="r", system="ours", system_place=place)  # pyright: ignore[reportArgumentType]
        got = self.applied(ask(Message("system", "own"), Message("user", "q")), rule)
        assert got.messages[0].content == wanted

    def test_a_clients_text_is_never_a_template(self) -> None:
        got = self.applied(ask(Message("user", "{{ brand }}{% for x in y %}")))
        assert got.messages[1].content == "Question: {{ brand }}{% for x in y %}"

    def test_a_client_may_give_the_variables_that_are_named(self) -> None:
        got = self.applied(ask(extra={"template_variables": {"brand": "{{ date }}"}, "other": 1}))
        assert got.messages[0].content == "You serve {{ date }} in any language; today is 2026-11-22."
        assert got.extra == {"other": 1}
        for wrong in ({"text": "x"}, {"brand": [1]}, "x"):
            with pytest.raises(InvalidRequest):
                self.applied(ask(extra={"template_variables": wrong}))

    def test_images_stay(self) -> None:
        image = ImagePart("http://x")
        got = self.applied(ask(Message("user", (image, TextPart("what")))))
        assert got.messages[1].content == (TextPart("Question: what"), image)

    @pytest.mark.parametrize("source", ["{{ nothing }}", "{% if %}", "{{ brand"])
    def test_a_wrong_template_is_refused_by_name(self, source: str) -> None:
        with pytest.raises(ConfigError, match="shop: system"):
            ApplyTemplate((TemplateRule(name="shop", system=source, variables={"brand": ""}),))

    def test_the_sandbox_holds(self) -> None:
        rule = TemplateRule(name="r", system="{{ text.__class__.__mro__ }}")
        with pytest.raises(InvalidRequest):
            self.applied(ask(), rule)


@pytest.mark.parametrize(
    ("text", "language"), [("请问怎么退货？", "zh-Hans"), ("How do I return this?", "en"), ("42", "und")]
)
def test_the_language_stands_in_header_and_record(text: str, language: str) -> None:
    of = exchange()
    DetectLanguage()(ask(Message("user", text)), of)
    assert of.response_headers == [(b"x-seekway-language", language.encode())]
    assert of.record.language == of.language == language.removeprefix("und")


@given(pieces_of("<think>\nwhy not\n</think>\n\nBecause <b>."))
def test_thinking_in_the_text_becomes_reasoning(pieces: list[str]) -> None:
    events = passed(SeparateThinking((ThinkingRule(),)).open(ask(), exchange()), texts(pieces))
    assert joined(events) == ("Because <b>.", "why not", "")
    dropped = passed(SeparateThinking((ThinkingRule(keep=False),)).open(ask(), exchange()), texts(pieces))
    assert joined(dropped) == ("Because <b>.", "", "")
    assert dropped[-2:] == list(END)


def test_an_answer_that_begins_within_its_thoughts() -> None:
    stream = SeparateThinking((ThinkingRule(opened=True),)).open(ask(), exchange())
    assert joined(passed(stream, texts(["why</th", "ink>so"]))) == ("so", "why", "")


JSON = ResponseFormat("json_object")


@given(pieces_of('```json\n{"a": [1, 2,], "b": "cut'))
def test_an_answer_in_json_is_mended(pieces: list[str]) -> None:
    events = passed(RepairJson((JsonRule(),)).open(ask(answer=JSON), exchange()), texts(pieces))
    assert joined(events)[0] == '{"a": [1, 2], "b": "cut"}'
    assert events[-2:] == list(END)


def test_text_that_was_not_asked_for_as_json_is_left_alone() -> None:
    assert RepairJson((JsonRule(),)).open(ask(), exchange()) is None


def test_arguments_of_each_tool_call_are_mended_before_the_next_begins() -> None:
    stream = RepairJson((JsonRule(),)).open(ask(tools=(Tool("f"),)), exchange())
    events = passed(
        stream,
        [
            TextDelta("I {see"),
            ToolCallDelta(0, "a", "f", "{'q': "),
            ToolCallDelta(0, arguments="'x'"),
            ToolCallDelta(1, "b", "f"),
            Usage(1, 1),
            Finish("tool_calls"),
        ],
    )
    arguments = {0: "", 1: ""}
    for event in events:
        if isinstance(event, ToolCallDelta):
            arguments[event.index] += event.arguments
    assert [json.loads(text) for text in arguments.values()] == [{"q": "x"}, {}]
    indexes = [event.index for event in events if isinstance(event, ToolCallDelta)]
    assert indexes == sorted(indexes)
    assert joined(events)[0] == "I {see"


def test_citations_of_plain_answers_only() -> None:
    stage = CitationStage((CitationRule(),))
    assert joined(passed(stage.open(ask(), exchange()), texts(["so 【1†", "a】"])))[0] == "so [1]"
    assert stage.open(ask(answer=JSON), exchange()) is None


def post(*steps: Change) -> StreamFilter:
    stream = PostProcess((PostProcessRule(name="r", steps=steps),)).open(ask(), exchange())
    assert stream is not None
    return stream


@given(pieces_of("**Call** 555-0199 or [mail](mailto:x)  \n"))
def test_steps_run_in_their_order(pieces: list[str]) -> None:
    stream = post(
        Change(kind="strip_markdown"),
        Change(kind="replace", pattern=r"\b[0-9]{3}-[0-9]{4}\b", text="our number"),
        Change(kind="trim"),
        Change(kind="append", text=" (made by AI)"),
    )
    assert joined(passed(stream, texts(pieces)))[0] == "Call our number or mail (mailto:x) (made by AI)"


def test_a_cut_answer_says_so() -> None:
    events = passed(post(Change(kind="max_length", characters=4, text="…")), texts(["abc", "def"]))
    assert joined(events)[0] == "abcd…"
    assert events[-1] == Finish("length")


def test_text_held_back_comes_before_a_tool_call() -> None:
    stream = CitationStage((CitationRule(),)).open(ask(), exchange())
    events = passed(stream, [TextDelta("see [1"), ToolCallDelta(0, "c", "f", "{}"), *END], batch=4)
    assert [type(event) for event in events] == [TextDelta, TextDelta, ToolCallDelta, Usage, Finish]


@pytest.mark.parametrize(
    ("step", "told"),
    [
        (Change(kind="max_length"), "max_length needs characters"),
        (Change(kind="replace"), "replace needs a pattern"),
        (Change(kind="replace", pattern="(a"), "not closed"),
    ],
)
def test_a_step_that_cannot_be_followed_is_refused_by_name(step: Change, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        PostProcess((PostProcessRule(name="shop", steps=(step,)),))
