"""Conversations are rendered as the model's own template wants them, and what it lacks is made up for."""

from __future__ import annotations

import pytest

from seekway.core.errors import InvalidRequest, ModelFileError, UnsupportedParameter
from seekway.core.types import GenerateRequest, ImagePart, Message, TextPart, Tool, ToolCall, ToolChoice
from seekway.engine.chat_template import ChatTemplate, Prompt
from seekway.engine.reasoning import CLOSE, OPEN
from seekway.engine.special_text import SpecialTexts
from seekway.engine.tool_formats import CALLS_BEGIN
from tests.fakes.gguf_file import CHATML

TOOL = Tool("weather", "Tells <the> weather.", {"type": "object", "properties": {"city": {"type": "string"}}})
CALLED = (
    Message("user", "Hi"),
    Message("assistant", "", tool_calls=(ToolCall("c1", "weather", '{"city": "Ulm"}'),)),
    Message("tool", "sunny", tool_call_id="c1"),
)
R1 = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}<U>{{ m.content }}{% endif %}"
    "{% if m.role == 'assistant' %}<A>{{ m.content.split('</think>')[-1] }}<E>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<A>{% endif %}"
)
SWITCHED = CHATML + "{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n{% endif %}"


def render(
    source: str, *messages: Message, thinking: bool | None = None, tools: tuple[Tool, ...] = (), mode: str = "auto"
) -> Prompt:
    choice = ToolChoice("none") if mode == "none" else ToolChoice()
    request = GenerateRequest("1", "m", messages=messages, tools=tools, tool_choice=choice)
    return ChatTemplate(
        source,
        SpecialTexts(("<B>", "<E>", "<A>", "<U>", "<|im_start|>", "<|im_end|>", OPEN, CLOSE)),
        bos="<B>",
        eos="<E>",
    ).render(request, thinking=thinking)


def test_a_conversation_is_rendered_up_to_the_models_turn() -> None:
    prompt = render(CHATML, Message("system", "Be brief."), Message("user", (TextPart("Hi"), TextPart("you"))))
    assert (
        prompt.text
        == "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi\nyou<|im_end|>\n<|im_start|>assistant\n"
    )
    assert (prompt.thinking, prompt.reasoning_expected) == (False, False)


def test_blocks_are_trimmed_as_transformers_does() -> None:
    assert render("  {% if true %}\nx\n  {% endif %}\n{{ messages[0].content }}", Message("user", "y")).text == "x\ny"


def test_json_in_templates_is_not_escaped_for_html() -> None:
    source = "{{ tools | tojson if tools }}{{ messages[0].content }}"
    text = render(source, Message("user", "x"), tools=(TOOL,)).text
    assert "Tells <the> weather." in text
    assert '"type": "function"' in text


def test_what_the_template_raises_reaches_the_client() -> None:
    source = "{% if messages | length > 1 %}{{ raise_exception('Roles must alternate.') }}{% endif %}{{ messages[0].content }}"
    with pytest.raises(InvalidRequest, match=r"Roles must alternate\.$"):
        render(source, Message("user", "a"), Message("user", "b"))


def test_a_template_cannot_reach_into_python() -> None:
    source = "{{ messages[0].content }}{% if messages | length > 1 %}{{ messages.__class__.__mro__ }}{% endif %}"
    with pytest.raises(InvalidRequest):
        render(source, Message("user", "a"), Message("user", "b"))


def test_an_endless_template_is_stopped() -> None:
    source = (
        "{% for i in range(99999) %}{% for j in range(99999) %}{{ messages[0].content * 1000 }}{% endfor %}{% endfor %}"
    )
    with pytest.raises((InvalidRequest, ModelFileError)):
        render(source, Message("user", "a" * 100))


@pytest.mark.parametrize("source", ["{% if %}", "{{ messages.nothing.at_all }}", "x" * 300_000])
def test_a_broken_template_is_the_files_fault(source: str) -> None:
    with pytest.raises(ModelFileError):
        ChatTemplate(source, SpecialTexts())


def test_images_are_refused() -> None:
    with pytest.raises(UnsupportedParameter):
        render(CHATML, Message("user", (TextPart("What is it?"), ImagePart("data:image/png;base64,AA"))))


def test_a_template_without_a_system_role_gets_it_with_the_next_user_message() -> None:
    source = "{% for m in messages %}{% if m.role == 'user' %}[{{ m.content }}]{% endif %}{% endfor %}"
    assert render(source, Message("system", "Be brief."), Message("user", "Hi")).text == "[Be brief.\n\nHi]"


def test_tools_calls_and_results_become_messages_where_the_template_knows_none() -> None:
    text = render(CHATML, *CALLED, tools=(TOOL,)).text
    assert text.startswith("<|im_start|>system\nYou can call these functions")
    assert '<tool_call>\n{"name": "weather", "arguments": {"city": "Ulm"}}\n</tool_call><|im_end|>' in text
    assert "<|im_start|>user\n<tool_response>\nsunny\n</tool_response><|im_end|>" in text


def test_tools_are_not_shown_when_the_choice_is_none() -> None:
    assert "weather" not in render(CHATML, Message("user", "Hi"), tools=(TOOL,), mode="none").text


@pytest.mark.parametrize("how", ["{{ c.function.arguments }}", "{{ c.function.arguments | tojson }}"])
def test_arguments_are_given_as_the_template_takes_them(how: str) -> None:
    source = (
        "{% for m in messages %}{% if m.tool_calls %}{% for c in m.tool_calls %}({{ c.function.name }}:"
        + how
        + "){% endfor %}{% else %}{{ m.role }}={{ m.content }};{% endif %}{% endfor %}"
    )
    assert render(source, *CALLED).text == 'user=Hi;(weather:{"city": "Ulm"})tool=sunny;'


def test_deepseeks_format_is_known_by_its_markers() -> None:
    source = R1 + f"{{# {CALLS_BEGIN} #}}"
    assert ChatTemplate(source, SpecialTexts()).format.name == "deepseek"


@pytest.mark.parametrize(
    ("thinking", "end", "opened", "expected"),
    [
        (None, "<A>", False, True),
        (True, "<A><think>\n", True, True),
        (False, "<A><think>\n\n</think>\n\n", False, False),
    ],
)
def test_thinking_is_opened_or_closed_by_hand_without_a_switch(
    thinking: bool | None, end: str, opened: bool, expected: bool
) -> None:
    prompt = render(R1, Message("user", "Hi"), thinking=thinking)
    assert prompt == Prompt(f"<B><U>Hi{end}", opened, expected)


def test_a_prompt_that_opens_thinking_is_seen_and_can_be_closed() -> None:
    source = R1.replace("prompt %}<A>", "prompt %}<A><think>\n")
    assert render(source, Message("user", "Hi")).thinking
    assert render(source, Message("user", "Hi"), thinking=False).text.endswith("<A><think>\n\n</think>\n\n")


def test_the_templates_own_switch_is_used() -> None:
    assert render(SWITCHED, Message("user", "Hi"), thinking=False).text.count("<think>") == 1
    assert not render(SWITCHED, Message("user", "Hi"), thinking=False).reasoning_expected
    assert render(SWITCHED, Message("user", "Hi"), thinking=True).reasoning_expected


def test_a_prefix_is_continued_not_answered() -> None:
    prompt = render(CHATML, Message("user", "Hi"), Message("assistant", "Well, ", prefix=True))
    assert prompt.text.endswith("<|im_start|>assistant\nWell, ")


@pytest.mark.parametrize(
    ("content", "reasoning", "end", "opened"),
    [
        ("So", "hm", "<A><think>\nhm\n</think>\n\nSo", False),
        ("So", None, "<A><think>\n\n</think>\n\nSo", False),
        ("", "hm", "<A><think>\nhm", True),
    ],
)
def test_a_prefix_carries_its_reasoning(content: str, reasoning: str | None, end: str, opened: bool) -> None:
    prompt = render(R1, Message("user", "Hi"), Message("assistant", content, reasoning=reasoning, prefix=True))
    assert prompt.text.endswith(end)
    assert prompt.thinking is opened


@pytest.mark.parametrize(
    "messages",
    [(Message("user", "a", prefix=True),), (Message("assistant", "a", prefix=True), Message("user", "b")), ()],
)
def test_a_misplaced_prefix_is_refused(messages: tuple[Message, ...]) -> None:
    with pytest.raises(InvalidRequest):
        render(CHATML, *messages)
