"""An application's own words."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from seekway.applications.definition import Definition, FormField, Moderation
from seekway.applications.events import AnswerDelta, AnswerReplaced, Ended, ReasoningDelta
from seekway.applications.runs.answer_shape import AnswerShape, Shown
from seekway.applications.runs.moderation import AppWords, KeywordDetector
from seekway.applications.runs.thoughts import without_thinking
from seekway.core.types import ReasoningDelta as Thinking
from seekway.core.types import TextDelta
from seekway.pipeline.guardrails.review.batch import findings_of
from tests.fakes.backend import reply
from tests.unit.applications.house import House, shown

WORDS = ("abca", "ca", "坏词", "A!")
MODERATION = Moderation(WORDS, "Not here.", "Withdrawn.")
TEXTS = st.text(st.sampled_from("abcAC!坏词 x"), max_size=24)


def pieces(text: str, cuts: list[int]) -> list[str]:
    places = sorted({cut % (len(text) + 1) for cut in cuts} | {0, len(text)})
    return [text[a:b] for a, b in pairwise(places)]


def holds_word(text: str) -> bool:
    return any(word.lower() in text.lower() for word in WORDS)


@given(TEXTS, st.lists(st.integers(0, 40), max_size=8))
def test_no_character_of_a_word_goes_out_however_the_answer_is_cut(text: str, cuts: list[int]) -> None:
    shape = AnswerShape("separate", AppWords(MODERATION))
    out: list[Shown] = []
    for piece in pieces(text, cuts):
        out += shape.text(piece)
    out += shape.end()
    said = "".join(event.text for event in out if isinstance(event, AnswerDelta))
    assert shape.replaced == holds_word(text)
    if shape.replaced:
        assert out[-1] == AnswerReplaced("Withdrawn.")
        assert shape.answer == "Withdrawn."
        first = min(text.lower().find(w.lower()) for w in WORDS if w.lower() in text.lower())
        assert text.startswith(said)
        assert len(said) <= first
    else:
        assert said == text == shape.answer


@given(TEXTS, st.lists(st.integers(0, 40), max_size=8))
def test_keywords_are_found_the_same_in_a_stream_as_in_the_whole(text: str, cuts: list[int]) -> None:
    detector = KeywordDetector(WORDS)
    whole = {(one.start, one.end) for one in findings_of(detector, text)}
    found: set[tuple[int, int]] = set()
    held, passed = "", 0
    for piece in [*pieces(text, cuts), ""]:
        held += piece
        final = piece == ""
        scan = detector.scan(held, 0, final=final)
        found |= {(passed + one.start, passed + one.end) for one in scan.findings}
        held, passed = held[scan.safe :], passed + scan.safe
    assert found == whole


@given(st.text(st.sampled_from("ab \n"), max_size=12), st.text(st.sampled_from("ab<>/think \n"), max_size=24), st.lists(st.integers(0, 80), max_size=9))  # fmt: skip
def test_tags_hold_the_reasoning_however_the_stream_is_cut(thought: str, answer: str, cuts: list[int]) -> None:
    answers: set[str] = set()
    for these in (cuts, [], list(range(80))):
        shape = AnswerShape("tags", None)
        out: list[Shown] = []
        for piece in pieces(thought, these):
            out += shape.thought(piece)
        for piece in pieces("Answer: " + answer, these):
            out += shape.text(piece)
        out += shape.end()
        assert "".join(event.text for event in out if isinstance(event, AnswerDelta)) == shape.answer
        assert without_thinking(shape.answer, shape.reasoning) == "Answer: " + answer or not shape.reasoning
        answers.add(shape.answer)
    assert len(answers) == 1


@given(st.text(st.sampled_from("ab \n<"), max_size=12), st.lists(st.integers(0, 60), max_size=9))
def test_thinking_within_the_text_is_told_apart(thought: str, cuts: list[int]) -> None:
    text = f"<think>{thought}</think>Fine"
    shape = AnswerShape("separate", None)
    out: list[Shown] = []
    for piece in pieces(text, cuts):
        out += shape.text(piece)
    out += shape.end()
    assert (shape.answer, shape.reasoning) == ("Fine", thought.strip())
    assert "".join(event.text for event in out if isinstance(event, ReasoningDelta)) == thought.strip()


def test_a_word_that_begins_in_one_piece_of_reasoning_does_not_end_in_the_next() -> None:
    shape = AnswerShape("separate", AppWords(MODERATION))
    out = [*shape.thought("坏"), *shape.text("x"), *shape.thought("词"), *shape.end()]
    assert shape.replaced
    assert not any("词" in event.text for event in out)


def test_reasoning_that_was_held_back_comes_before_the_answer() -> None:
    words = AppWords(Moderation(("secret",), None, "No."))
    shape = AnswerShape("tags", words)
    out = [*shape.thought("It is a se"), *shape.text("Yes."), *shape.end()]
    assert "".join(event.text for event in out) == "<think>\nIt is a se\n</think>\n\nYes." == shape.answer
    shape = AnswerShape("separate", words)
    out = [*shape.thought("It is a se"), *shape.text("Yes."), *shape.end()]
    assert [type(event) for event in out] == [ReasoningDelta, ReasoningDelta, AnswerDelta]


def test_only_a_mentioned_tag_stays_in_an_answer() -> None:
    assert without_thinking("Write <think> before it.") == "Write <think> before it."
    assert without_thinking("<think>a</think>\n\nb <think>c</think> d") == "b d"
    assert without_thinking("a</think>b") == "b"
    assert without_thinking(" <think>never closed") == ""


async def test_a_forbidden_question_gets_the_preset_answer_and_asks_no_model(house: House) -> None:
    app = await house.app(Definition("chat", moderation=MODERATION, form=(FormField("who"),)))
    one = await house.answer(app, "Tell me about 壞詞")
    assert (one.answer, one.status, house.models.asked()) == ("Not here.", "normal", [])
    assert (await house.answer(app, "Fine?", inputs={"who": "ABCA"})).answer == "Not here."
    assert (await house.answer(app, "Fine?")).answer == "Hello there"


async def test_a_forbidden_answer_is_replaced_and_the_model_stopped(house: House) -> None:
    app = await house.app(Definition("chat", moderation=Moderation(("secret",), None, "Withdrawn.")))
    house.models.script = [Thinking("hm"), TextDelta("It is a sec"), TextDelta("ret, you know"), *reply()]
    events = await house.ask(app, "What secret?")
    assert shown(events) == "Withdrawn."
    assert not any("sec" in event.text for event in events if isinstance(event, AnswerDelta))
    ended = events[-1]
    assert isinstance(ended, Ended)
    assert (ended.message.answer, ended.message.reasoning) == ("Withdrawn.", "")
    assert ended.message.cost.completion_tokens > 0
    assert house.models.closed == 1


async def test_a_forbidden_thought_withdraws_the_answer_too(house: House) -> None:
    for thoughts in ("separate", "tags"):
        app = await house.app(
            Definition("chat", moderation=Moderation(("secret",), None, "No."), thoughts=thoughts), thoughts
        )
        house.models.script = [Thinking("the se"), Thinking("cret"), TextDelta("Fine"), *reply()]
        events = await house.ask(app)
        assert shown(events) == "No."
        assert not any("se" in event.text for event in events if isinstance(event, AnswerDelta | ReasoningDelta))
