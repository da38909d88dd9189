"""Tool calls are read out of streamed text in each model's own format, wherever it is cut."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seekway.core.types import TextDelta, Tool
from seekway.engine.tool_calls import Piece, tool_parser
from seekway.engine.tool_formats import CALL_BEGIN, CALL_END, CALLS_BEGIN, CALLS_END, SEPARATOR, FormatName, ToolFormat

TOOLS = (Tool("weather", "Tells the weather."), Tool("now"))
Calls = list[tuple[str, str]]


def gather(pieces: list[Piece]) -> tuple[str, Calls]:
    text, calls, ids = "", list[list[str]](), set[str]()
    for piece in pieces:
        if isinstance(piece, TextDelta):
            text += piece.text
            continue
        if piece.name is not None:
            assert piece.index == len(calls)
            assert piece.id is not None
            assert piece.id.startswith("call_")
            ids.add(piece.id)
            calls.append([piece.name, ""])
        else:
            assert piece.id is None
        calls[piece.index][1] += piece.arguments
    assert len(ids) == len(calls)
    return text, [(name, arguments) for name, arguments in calls]


def run(form: FormatName, pieces: list[str], *, forced: bool = False) -> tuple[str, Calls]:
    parser = tool_parser(form, TOOLS, forced=forced)
    out: list[Piece] = []
    for piece in pieces:
        out += parser.feed(piece)
    return gather(out + parser.finish())


def v3(name: str, arguments: str) -> str:
    return f"{CALL_BEGIN}function{SEPARATOR}{name}\n```json\n{arguments}\n```{CALL_END}"


ARGUMENTS = '{"city": "Pa\\"ris}", "days": [1, {"a": null}]}'
CASES: list[tuple[FormatName, str, str, Calls]] = [
    ("hermes", "no call, just a < b", "no call, just a < b", []),
    (
        "hermes",
        f'Let me see.\n<tool_call>\n{{"name": "weather", "arguments": {ARGUMENTS}}}\n</tool_call>\n'
        '<tool_call>\n{"arguments": {}, "name": "now"}\n</tool_call>',
        "Let me see.\n",
        [("weather", ARGUMENTS), ("now", "{}")],
    ),
    ("hermes", '<tool_call>{"name": "now"}</tool_call>', "", [("now", "{}")]),
    ("hermes", '<tool_call>{"name": "now", "arguments": "{\\"a\\": 1}"}</tool_call>', "", [("now", '{"a": 1}')]),
    ("hermes", "<tool_call>nonsense</tool_call> and on", "<tool_call>nonsense</tool_call> and on", []),
    ("hermes", '<tool_call>{"name": "now", "arguments": {"a": 1', "", [("now", '{"a": 1')]),
    ("hermes", "<tool_ca", "<tool_ca", []),
    (
        "deepseek",
        f"Hm{CALLS_BEGIN}{v3('weather', ARGUMENTS)}\n{v3('now', '{}')}{CALLS_END}",
        "Hm",
        [("weather", ARGUMENTS), ("now", "{}")],
    ),
    (
        "deepseek",
        f"{CALLS_BEGIN}{CALL_BEGIN}weather{SEPARATOR}{ARGUMENTS}{CALL_END}{CALL_BEGIN}now{SEPARATOR}{{}}{CALL_END}{CALLS_END}",
        "",
        [("weather", ARGUMENTS), ("now", "{}")],
    ),
    ("deepseek", f"{CALLS_BEGIN}{CALL_BEGIN}now{SEPARATOR}{CALL_END}{CALLS_END}", "", [("now", "{}")]),
    ("llama", f'{{"name": "weather", "parameters": {ARGUMENTS}}}', "", [("weather", ARGUMENTS)]),
    (
        "llama",
        '<|python_tag|>{"name": "now", "parameters": {}}; {"name": "now", "parameters": {"a": 1}}',
        "",
        [("now", "{}"), ("now", '{"a": 1}')],
    ),
    ("llama", '{"name": "unknown", "parameters": {}}', '{"name": "unknown", "parameters": {}}', []),
    ("llama", '{"answer": 42}', '{"answer": 42}', []),
    ("llama", "plain { text", "plain { text", []),
]


@pytest.mark.parametrize(("form", "text", "shown", "calls"), CASES)
def test_calls_and_text_come_apart(form: FormatName, text: str, shown: str, calls: Calls) -> None:
    assert run(form, [text]) == (shown, calls)
    assert run(form, list(text)) == (shown, calls)


@given(case=st.sampled_from(CASES), data=st.data())
def test_any_cutting_gives_the_same_calls(case: tuple[FormatName, str, str, Calls], data: st.DataObject) -> None:
    form, text, shown, calls = case
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=10)))
    assert run(form, [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]) == (shown, calls)


SCRAPS = st.sampled_from(
    [
        "<tool_call>",
        "</tool_call>",
        '{"name":',
        '"now"',
        ',"arguments":',
        "{",
        "}",
        '"',
        "\\",
        " ",
        "x",
        CALLS_BEGIN,
        CALL_BEGIN,
        SEPARATOR,
        CALL_END,
        CALLS_END,
        "function",
        "\n",
        "<",
        "；",
    ]
)


@given(
    form=st.sampled_from(["hermes", "deepseek", "llama"]), scraps=st.lists(SCRAPS, max_size=25), forced=st.booleans()
)
def test_broken_calls_neither_raise_nor_depend_on_the_cutting(
    form: FormatName, scraps: list[str], forced: bool
) -> None:
    text = "".join(scraps)
    whole = run(form, [text], forced=forced)
    assert run(form, list(text), forced=forced) == whole
    assert run(form, scraps, forced=forced) == whole


def test_a_forced_call_is_read_from_bare_json() -> None:
    assert run("hermes", list('{"name": "anything", "arguments": {"a": 1}}'), forced=True) == (
        "",
        [("anything", '{"a": 1}')],
    )


def test_arguments_stream_before_the_call_ends() -> None:
    parser = tool_parser("hermes", TOOLS, forced=False)
    _, calls = gather(parser.feed('<tool_call>{"name": "now", "arguments": {"a": "lon'))
    assert calls == [("now", '{"a": "lon')]


@pytest.mark.parametrize("form", ["hermes", "deepseek", "llama"])
def test_written_calls_are_read_back(form: FormatName) -> None:
    from seekway.core.types import ToolCall

    written = ToolFormat(form).write_calls((ToolCall("1", "weather", ARGUMENTS), ToolCall("2", "now", "{}")))
    assert run(form, [written]) == ("", [("weather", ARGUMENTS), ("now", "{}")])


@pytest.mark.parametrize("form", ["hermes", "deepseek", "llama"])
def test_instructions_name_every_tool(form: FormatName) -> None:
    lines = ToolFormat(form).instructions(TOOLS).splitlines()
    assert [json.loads(line)["name"] for line in lines[1:3]] == ["weather", "now"]
