"""Names and follow-up questions as models write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seekway.applications.answers.follow_ups import MOST, questions_in
from seekway.applications.answers.titles import LONGEST, first_words, title
from seekway.applications.definition import ModelChoice
from seekway.applications.runs.model_request import ModelAsk
from seekway.core.caller import ANONYMOUS
from seekway.core.errors import AppUnavailable, BackendUnavailable
from tests.fakes.app_models import AWAY, FakeModels
from tests.fakes.backend import reply


@pytest.mark.parametrize(
    ("text", "questions"),
    [
        ('["A?", "B?"]', ["A?", "B?"]),
        ('Sure [1]: ```json\n{"questions": ["甲？", "乙？"]}\n```', ["甲？", "乙？"]),
        ('["A?", 3, "", " B \\n ?"]', ["A?", "B ?"]),
        ("[[" * 30_000, []),
        ("no list", []),
        ('["unfinished', []),
    ],
)
def test_follow_ups_are_found_in_what_models_write(text: str, questions: list[str]) -> None:
    assert questions_in(text) == questions


@given(st.text(st.sampled_from('[]{}",?ab \\'), max_size=60))
def test_follow_ups_are_few_and_never_an_error(text: str) -> None:
    assert len(questions_in(text)) <= MOST


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Refunds", "Refunds"),
        ('\n **"Refunds and returns"**\nMore text', "Refunds and returns"),
        ('{"title": "Refunds"}', "Refunds"),
        ("标题：退款", "退款"),
        ("", "How do refunds work?"),
        ("<think>only thoughts</think>", "How do refunds work?"),
        ("word " * 50, ("word " * 15).strip() + "..."),
    ],
)
async def test_a_title_is_one_short_line(text: str, name: str) -> None:
    models = FakeModels(title=reply(text))
    found = await title(models, ModelAsk(ModelChoice()), "c-title", ANONYMOUS, "How do\nrefunds work?")
    assert found == name
    assert len(found) <= LONGEST + 3


async def test_a_title_that_the_model_cannot_give_now_is_an_error() -> None:
    with pytest.raises(BackendUnavailable):
        await title(FakeModels(title=[AWAY]), ModelAsk(ModelChoice()), "c-title", ANONYMOUS, "Q")
    assert first_words(" ") == "New conversation"


@pytest.mark.parametrize(
    "parameters",
    [
        {"temperature": "hot"},
        {"max_tokens": 1.5},
        {"stop": 3},
        {"response_format": "xml"},
        {"reasoning_effort": "some"},
    ],
)
def test_parameters_that_cannot_be_meant_name_themselves(parameters: dict[str, object]) -> None:
    with pytest.raises(AppUnavailable, match=next(iter(parameters))):
        ModelAsk(ModelChoice("m", parameters))


def test_difys_words_for_thinking_are_understood() -> None:
    def enabled(**parameters: object) -> bool | None:
        request = ModelAsk(ModelChoice("m", parameters)).request("1", (), user=None, stream=True, deadline_s=1.0)
        assert request.extra == {}
        return request.thinking.enabled

    assert enabled() is None
    assert enabled(thinking=True, reasoning_effort="high") is True
    assert enabled(thinking=False, reasoning_effort="high") is False
    assert enabled(thinking={"type": "disabled"}) is False
    assert enabled(enable_thinking=True) is True
