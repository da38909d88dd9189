"""Events come out alike however the bytes are split."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seekway.core.errors import BackendProtocolError
from seekway.engine.upstream.sse import ServerSentEvent, SseParser

STREAM = (
    b"\xef\xbb\xbf: a comment\ndata: first\n\n"
    b"event: error\r\ndata:second\r\ndata:  line\r\n\r\n"
    b"id: 7\rretry: 10\rdata: third\r\r"
    b"event: nothing\n\n"
    b"data\n\n"
    b": keep-alive\n\n"
    b'data: {"text": "\xe4\xbd\xa0\xe5\xa5\xbd"}\n\n'
    b"data: cut off"
)
EVENTS = [
    ServerSentEvent("message", b"first"),
    ServerSentEvent("error", b"second\n line"),
    ServerSentEvent("message", b"third"),
    ServerSentEvent("message", b""),
    ServerSentEvent("message", '{"text": "你好"}'.encode()),
]


def parse(pieces: list[bytes]) -> list[ServerSentEvent]:
    parser = SseParser(1024)
    return [event for piece in pieces for event in parser.feed(piece)]


@pytest.mark.parametrize("at", range(len(STREAM) + 1))
def test_a_split_at_any_byte_changes_nothing(at: int) -> None:
    assert parse([STREAM[:at], STREAM[at:]]) == EVENTS


def test_bytes_one_at_a_time_change_nothing() -> None:
    assert parse([STREAM[at : at + 1] for at in range(len(STREAM))]) == EVENTS


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_splits_anywhere_change_nothing(cuts: list[int]) -> None:
    bounds = [0, *sorted(cuts), len(STREAM)]
    assert parse([STREAM[a:b] for a, b in itertools.pairwise(bounds)]) == EVENTS


@given(
    st.lists(st.lists(st.text(st.characters(exclude_characters="\r\n", codec="utf-8")), min_size=1), max_size=5),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.lists(st.integers(1, 9), min_size=1, max_size=40),
)
def test_data_comes_back_whatever_the_framing_and_the_splits(
    events: list[list[str]], newline: str, sizes: list[int]
) -> None:
    wire = "".join("".join(f"data: {line}{newline}" for line in lines) + newline for lines in events).encode()
    pieces: list[bytes] = []
    while wire:
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(wire[:size])
        wire = wire[size:]
    parser = SseParser(1 << 20)
    assert [event.data.decode() for piece in pieces for event in parser.feed(piece)] == [
        "\n".join(lines) for lines in events
    ]


def test_an_event_comes_as_soon_as_its_blank_line_does_even_with_bare_cr() -> None:
    parser = SseParser(1024)
    assert parser.feed(b"data: now\r\r") == [ServerSentEvent("message", b"now")]
    assert parser.feed(b"\ndata: next\r\n\r\n") == [ServerSentEvent("message", b"next")]


@pytest.mark.parametrize("piece", [b"x" * 40, b"data: 0123456789\n" * 4], ids=["a line", "an event's lines together"])
def test_what_never_ends_is_refused_at_the_bound(piece: bytes) -> None:
    parser = SseParser(32)

    def flood() -> None:
        for _ in range(4):
            parser.feed(piece)

    with pytest.raises(BackendProtocolError):
        flood()


BLOCKS = st.sampled_from(
    [
        b"data: a\n\n", b"data: b\n\ndata: c\n\n", b"data: a\ndata: b\n\n", b"data: a\n\n\n", b"data: a\nid: 1\n\n",
        b"event: x\ndata: y\n\n", b": ping\n\n", b"data: a\r\n\r\n", b"data: a\rdata: b\n\n", b"data: a\r\r", b"data:b\n\n",
        b"data\n\n", b"data: \n\n", b"data: data: \n\n", b"\n", b"data: cut", b"data: a\n", b"event: x\n", b"\xef\xbb\xbf",
        b"data: " + b"x" * 12 + b"\n\n",
    ]
)  # fmt: skip


@st.composite
def split_streams(draw: st.DrawFn) -> list[bytes]:
    """A stream cut mostly where one event ends, as servers write them, and sometimes anywhere."""
    pieces: list[bytes] = []
    for block in draw(st.lists(BLOCKS, min_size=1, max_size=8)):
        how = draw(st.sampled_from(["new", "join", "cut"]))
        if how == "join" and pieces:
            pieces[-1] += block
        elif how == "cut":
            at = draw(st.integers(0, len(block)))
            pieces += [block[:at], block[at:]]
        else:
            pieces.append(block)
    return pieces


def by_both(pieces: list[bytes], bound: int) -> tuple[list[bytes | str], list[bytes | str]]:
    """What the short way and the long way give for the same bytes; a refusal counts as what it is."""
    found: tuple[list[bytes | str], list[bytes | str]] = ([], [])
    short, long = SseParser(bound), SseParser(bound)
    for piece in pieces:
        try:
            found[0].extend(short.payloads(piece))
        except BackendProtocolError:
            found[0].append("refused")
            break
    for piece in pieces:
        try:
            found[1].extend(event.data for event in long.feed(piece))
        except BackendProtocolError:
            found[1].append("refused")
            break
    return found


@settings(max_examples=500, deadline=None)
@given(split_streams(), st.sampled_from([12, 1024]))
def test_the_short_way_gives_what_the_long_way_gives(pieces: list[bytes], bound: int) -> None:
    short, long = by_both(pieces, bound)
    if "refused" in (*short, *long):
        assert ("refused" in short) == ("refused" in long)
    else:
        assert short == long


@pytest.mark.parametrize("at", range(len(STREAM) + 1))
def test_a_split_at_any_byte_changes_nothing_for_the_payloads_either(at: int) -> None:
    short, long = by_both([STREAM[:at], STREAM[at:]], 1024)
    assert short == long == [event.data for event in EVENTS]
