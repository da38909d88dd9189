"""A text in pieces, every way to cut it."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import strategies as st

from seekway.pipeline.stages.answer_text.text_filter import TextFilter


def pieces_of(text: str) -> st.SearchStrategy[list[str]]:
    """``text`` in pieces, empty ones among them."""
    return st.lists(st.integers(0, len(text)), max_size=12).map(lambda cuts: _cut(text, sorted(cuts)))


def cut_texts(alphabet: st.SearchStrategy[str], most: int = 60) -> st.SearchStrategy[list[str]]:
    """Texts made of the alphabet's pieces, cut anywhere."""
    return st.lists(alphabet, max_size=most).map("".join).flatmap(pieces_of)


def every_cut(text: str) -> list[list[str]]:
    """``text`` in two pieces wherever it can be cut, and character by character."""
    return [*([text[:at], text[at:]] for at in range(len(text) + 1)), list(text)]


def _cut(text: str, cuts: list[int]) -> list[str]:
    return [text[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]


def whole(make: Callable[[], TextFilter], text: str) -> str:
    made = make()
    return made.feed(text) + made.end(last=True)


def streamed(make: Callable[[], TextFilter], pieces: list[str]) -> str:
    made = make()
    return "".join(map(made.feed, pieces)) + made.end(last=True)
