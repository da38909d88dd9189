from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seekway.applications.agents.react_text import ReactText
from seekway.core.types import ToolCall

WRITTEN = {
    "Thought: t\nFinal Answer: yes\nand more": ("t", None, "yes\nand more"),
    "Thought：想\n最终答案：好的": ("想", None, "好的"),
    "**Final Answer:** x": ("", None, "x"),
    "Final Answer: **bold**": ("", None, "**bold**"),
    "just talk": ("just talk", None, "just talk"),
    "I mean the final answer: is this": ("I mean the final answer: is this", None, "I mean the final answer: is this"),
    'Thought: t\nAction: {"tool": "a", "input": {"b": "}\\""}} trailing': (
        "t",
        ToolCall("react", "a", '{"b":"}\\""}'),
        "",
    ),
    'Action:\n```json\n{"tool": "a", "input": "{}"}\n```': ("", ToolCall("react", "a", "{}"), ""),
    "Action: dance": ("", ToolCall("react", "", "dance"), ""),
}


@pytest.mark.parametrize("written", WRITTEN)
def test_what_was_written_is_read(written: str) -> None:
    thought, action, answer = WRITTEN[written]
    reader = ReactText()
    shown = reader.feed(written)
    assert (reader.thought, reader.action()) == (thought, action)
    assert shown + reader.end() == answer


@given(st.sampled_from(sorted(WRITTEN)), st.lists(st.integers(0, 60), max_size=6))
def test_however_it_is_cut_it_is_read_alike(written: str, cuts: list[int]) -> None:
    reader, shown = ReactText(), ""
    ends = sorted({min(cut, len(written)) for cut in cuts} | {len(written)})
    for begin, end in zip([0, *ends], ends, strict=False):
        shown += reader.feed(written[begin:end])
    assert shown + reader.end() == WRITTEN[written][2]
