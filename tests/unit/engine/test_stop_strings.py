"""A stop string ends the text before itself, wherever the text is cut."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from seekway.engine.stop_strings import StopMatcher

SMALL = st.text("ab", max_size=30)
STOPS = st.lists(st.text("ab", min_size=1, max_size=5), min_size=1, max_size=4).map(tuple)


def run(pieces: list[str], stops: tuple[str, ...]) -> tuple[str, str | None]:
    matcher = StopMatcher(stops)
    shown = ""
    for piece in pieces:
        text, stop = matcher.feed(piece)
        shown += text
        if stop is not None:
            return shown, stop
    return shown + matcher.finish(), None


def by_hand(text: str, stops: tuple[str, ...]) -> tuple[str, str | None]:
    for end in range(1, len(text) + 1):
        met = [stop for stop in stops if text[:end].endswith(stop)]
        if met:
            longest = max(met, key=len)
            return text[: end - len(longest)], longest
    return text, None


@given(text=SMALL, stops=STOPS, data=st.data())
def test_any_cutting_stops_where_the_whole_text_does(text: str, stops: tuple[str, ...], data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert run(pieces, stops) == by_hand(text, stops)
    assert run(list(text), stops) == by_hand(text, stops)


@given(text=SMALL, stops=STOPS)
def test_no_more_is_held_back_than_may_become_a_stop(text: str, stops: tuple[str, ...]) -> None:
    matcher = StopMatcher(stops)
    shown = ""
    for at, character in enumerate(text):
        piece, stop = matcher.feed(character)
        if stop is not None:
            return
        shown += piece
        held = text[len(shown) : at + 1]
        assert not held or any(stop.startswith(held) for stop in stops)


def test_no_stops_let_everything_through() -> None:
    assert run(["a", "b"], ("",)) == ("ab", None)
