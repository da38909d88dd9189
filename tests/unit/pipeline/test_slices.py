"""A large event in pieces says the same, and its tokens stay with their text."""

from __future__ import annotations

import pytest

from seekway.core.types import Event, ReasoningDelta, TextDelta, TokenLogprob, ToolCallDelta
from seekway.pipeline.slices import SLICE, is_large, slices_of


@pytest.mark.parametrize("kind", [TextDelta, ReasoningDelta])
def test_a_large_text_comes_in_pieces(kind: type[TextDelta | ReasoningDelta]) -> None:
    text = "0123456789" * SLICE
    pieces = list(slices_of(kind(text)))
    assert len(pieces) == 10
    assert all(isinstance(piece, kind) and not is_large(piece) for piece in pieces)
    assert "".join(piece.text for piece in pieces if isinstance(piece, kind)) == text


def test_a_calls_name_stands_in_its_first_piece_only() -> None:
    event = ToolCallDelta(1, "c", "f", "x" * (SLICE + 1))
    assert list(slices_of(event)) == [
        ToolCallDelta(1, "c", "f", "x" * SLICE),
        ToolCallDelta(1, arguments="x"),
    ]


def test_tokens_stay_with_their_text() -> None:
    tokens = tuple(TokenLogprob(f"{n:07} ", -0.5) for n in range(SLICE // 4))
    text = "".join(token.token for token in tokens)
    pieces = [piece for piece in slices_of(TextDelta(text, tokens)) if isinstance(piece, TextDelta)]
    assert len(pieces) == 2
    assert all(piece.text == "".join(token.token for token in piece.logprobs) for piece in pieces)
    assert "".join(piece.text for piece in pieces) == text


@pytest.mark.parametrize(
    "event", [TextDelta("short"), TextDelta("x" * (SLICE + 1), (TokenLogprob("y", -1.0),)), ToolCallDelta(0)]
)
def test_what_is_small_or_cannot_be_parted_stays_as_it_is(event: Event) -> None:
    assert list(slices_of(event)) == [event]
