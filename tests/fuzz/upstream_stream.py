"""Any bytes from another server, in any pieces: events of the promised order come out, or an error that says whose fault it is."""

from __future__ import annotations

import re

import structlog

from seekway.core.errors import SeekwayError
from seekway.core.types import Event, Finish, ToolCallDelta, Usage
from seekway.engine.upstream.errors import Refusals
from seekway.engine.upstream.response_events import ResponseEvents
from seekway.engine.upstream.sse import SseParser
from seekway.engine.upstream.wire import WireChunk
from tests.fuzz.choices import Choices, body_of

MOST_BYTES = 32_768
_MOST_EVENT = 4096
_ENDS = (b"\n\n", b"\r\n\r\n", b"\r\r", b"\n", b"\r\n")
_LINE_END = re.compile(rb"\r\n|\r|\n")
_Read = list[tuple[str, bytes]] | None


def attack(data: bytes) -> None:
    choices = Choices(data[:MOST_BYTES])
    stream = choices.rest() if choices.chance(2) else _written(choices)
    cut = data[:1] + data[-7:]
    whole, pieces = _parse([stream]), _parse(_cut(stream, cut))
    if whole is not None and pieces is not None:
        # A line that is too long and says nothing is seen to be so only where it comes in pieces.
        assert whole == pieces, f"How it is cut changes what is read: {whole} {pieces} of {stream!r}"
        assert whole == _by_the_book(stream), f"Read otherwise than the format's text says: {whole} of {stream!r}"
        _answer([found[1] for found in whole])


def _written(choices: Choices) -> bytes:
    """A stream like other servers', until the decisions run out."""
    made = bytearray()
    while choices and len(made) < MOST_BYTES:
        data = choices.pick((b"[DONE]", b"", b"{}")) if choices.chance(8) else body_of(WireChunk, choices)
        made += choices.pick((b"data: ", b"data:", b"data", b": ", b"event: ", b"\xef\xbb\xbfdata: ", b"id:", b""))
        made += data + choices.pick(_ENDS)
    return bytes(made)


def _cut(stream: bytes, sizes: bytes) -> list[bytes]:
    pieces: list[bytes] = []
    at = turn = 0
    while at < len(stream):
        size = 1 + sizes[turn % len(sizes)] % 40 if sizes else 1
        pieces.append(stream[at : at + size])
        at, turn = at + size, turn + 1
    return pieces


def _parse(pieces: list[bytes]) -> _Read:
    """None where an event is too long."""
    parser = SseParser(_MOST_EVENT)
    try:
        return [(event.event, event.data) for piece in pieces for event in parser.feed(piece)]
    except SeekwayError:
        return None


def _by_the_book(stream: bytes) -> _Read:
    """As slowly and simply as WHATWG HTML, section 9.2.6, tells it."""
    found: list[tuple[str, bytes]] = []
    kind, lines = b"", list[bytes]()
    for line in _LINE_END.split(stream.removeprefix(b"\xef\xbb\xbf"))[:-1]:
        if not line:
            if lines:
                found.append((kind.decode("utf-8", "replace") or "message", b"\n".join(lines)))
            kind, lines = b"", []
            continue
        name, _, value = line.partition(b":")
        value = value[1:] if value.startswith(b" ") else value
        if name == b"data":
            lines.append(value)
        elif name == b"event":
            kind = value
    return found


def _answer(payloads: list[bytes]) -> None:
    reader = ResponseEvents("id-1", "other", Refusals("other", "sk-secret"))
    events: list[Event] = []
    try:
        with structlog.testing.capture_logs():
            for payload in payloads:
                events += reader.read(payload)
            events += reader.end()
    except SeekwayError as error:
        _check_refusal(error)
    else:
        assert isinstance(events[-1], Finish), "A whole stream does not end in its Finish."
        assert sum(isinstance(event, (Usage, Finish)) for event in events) == 2, "Usage and Finish do not stand once."
    named: set[int] = set()
    for event in events:
        if isinstance(event, ToolCallDelta):
            assert (event.name is not None) == (event.index not in named), f"A call is named twice or never: {events}"
            named.add(event.index)
    assert sorted(named) == list(range(len(named))), f"Calls are not counted from nought: {events}"


def _check_refusal(error: SeekwayError) -> None:
    assert error.message.strip(), "An error says nothing."
    assert "sk-secret" not in error.message, "An error tells the key."
