"""What is kept is the whole answer and nothing else, however it was cut into deltas."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seekway.core.types import (
    Event,
    Finish,
    FinishReason,
    ReasoningDelta,
    TextDelta,
    TokenLogprob,
    ToolCallDelta,
    TopLogprob,
    Usage,
)
from seekway.pipeline.cache.answer import AnswerCollector, read_answer, replay

MOST = 1 << 20
END = (Usage(7, 3, cached_tokens=2, reasoning_tokens=1), Finish("stop"))
LONG = "0123456789" * 200


def collect(*batches: Sequence[Event], most: int = MOST, max_tokens: int | None = None) -> bytes | None:
    collector = AnswerCollector(most)
    for batch in batches:
        collector.feed(batch)
    return collector.result(max_tokens)


def said(events: Sequence[Event]) -> list[object]:
    """An answer as its reader puts it together: texts of a kind and a call's arguments joined."""
    found: list[object] = []
    texts: dict[object, str] = {}
    for event in events:
        match event:
            case TextDelta(text, logprobs):
                texts["text"] = texts.get("text", "") + text
                found += logprobs
            case ReasoningDelta(text, logprobs):
                texts["reasoning"] = texts.get("reasoning", "") + text
                found += logprobs
            case ToolCallDelta(index, call, name, arguments):
                key = ("call", index)
                texts[key] = texts.get(key, "") + (f"<{call}:{name}>" if call else "") + arguments
            case Usage(prompt, completion, _, reasoning):
                found.append((prompt, completion, reasoning))
            case _:
                found.append(event)
    return [*sorted((str(key), text) for key, text in texts.items() if text), *found]


PIECES = st.one_of(
    st.builds(TextDelta, st.text(max_size=6) | st.just(LONG)),
    st.builds(ReasoningDelta, st.text(max_size=6) | st.just(LONG)),
    st.builds(
        TextDelta,
        st.text(max_size=3),
        st.just((TokenLogprob("a", -0.5, (97,), (TopLogprob("b", -1.0),)),)),
    ),
    st.builds(ToolCallDelta, st.integers(0, 2), st.just("c"), st.just("f"), st.text(max_size=6)),
    st.builds(ToolCallDelta, st.integers(0, 2), arguments=st.text(max_size=6) | st.just(LONG)),
)


@given(st.lists(PIECES, min_size=1, max_size=12), st.data(), st.booleans())
def test_a_replay_says_what_was_said_however_it_was_cut(pieces: list[Event], data: st.DataObject, stream: bool) -> None:
    events = [*pieces, *END]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(events)), max_size=4)))
    batches = [events[a:b] for a, b in zip([0, *cuts], [*cuts, len(events)], strict=True)]
    kept = collect(*batches)
    assert kept == collect(events)
    if kept is None:
        assert not any(said([piece]) for piece in pieces)
        return
    assert said(replay(read_answer(kept), stream=stream)) == said(events)


def test_a_stream_is_replayed_in_pieces_and_a_whole_answer_in_one() -> None:
    kept = collect([TextDelta(LONG[:1000])], [TextDelta(LONG[1000:])], END)
    assert kept is not None
    whole = replay(read_answer(kept), stream=False)
    assert whole == (TextDelta(LONG), Usage(7, 3, cached_tokens=7, reasoning_tokens=1), Finish("stop"))
    pieces = replay(read_answer(kept), stream=True)
    assert len(pieces) > 4
    assert max(len(event.text) for event in pieces if isinstance(event, TextDelta)) == 512


def test_usage_says_that_the_whole_prompt_was_cached() -> None:
    kept = collect([TextDelta("a"), *END])
    assert kept is not None
    assert Usage(7, 3, cached_tokens=7, reasoning_tokens=1) in read_answer(kept)


@pytest.mark.parametrize(
    ("reason", "max_tokens", "kept"),
    [
        ("stop", None, True),
        ("tool_calls", None, True),
        ("length", 3, True),
        ("length", 4, False),
        ("length", None, False),
        ("content_filter", None, False),
        ("insufficient_system_resource", None, False),
        ("aborted", None, False),
    ],
)
def test_only_answers_that_ended_by_themselves_or_by_the_request_are_kept(
    reason: FinishReason, max_tokens: int | None, kept: bool
) -> None:
    answer = collect([TextDelta("a"), Usage(7, 3), Finish(reason)], max_tokens=max_tokens)
    assert (answer is not None) is kept


@pytest.mark.parametrize(
    "events",
    [[TextDelta("a")], [TextDelta("a"), Usage(1, 1)], [TextDelta("a"), Finish("stop")], END, [TextDelta(""), *END]],
)
def test_unfinished_and_empty_answers_are_not_kept(events: Sequence[Event]) -> None:
    assert collect(events) is None


def test_an_answer_that_is_too_large_is_let_go_on_its_way() -> None:
    assert collect([TextDelta("a" * 200), *END], most=400) is not None
    assert collect([TextDelta("a" * 200)], [TextDelta("a" * 300)], END, most=400) is None
    # Letters of three bytes pass the count of letters and not that of bytes.
    assert collect([TextDelta("是" * 200), *END], most=400) is None
