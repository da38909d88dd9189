"""A filter may end an answer early: what it says last goes on, and the backend stops."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from seekway.core.errors import BackendUnavailable
from seekway.core.types import Event, Finish, Replacement, TextDelta, Usage
from seekway.pipeline.stage import AnswerEnded, StageFigures
from seekway.pipeline.stream_chain import StreamChain
from tests.fakes.sink import RecordingSink

LAST = (Replacement("no"), Usage(1, 2), Finish("content_filter"))


class Through:
    """Passes all on and, at its end, one delta more."""

    def __init__(self, said: str = "") -> None:
        self.said = said
        self.seen: list[Event] = []
        self.ended = 0

    def feed(self, events: Sequence[Event]) -> Sequence[Event]:
        self.seen += events
        return events

    def end(self) -> Sequence[Event]:
        self.ended += 1
        return (TextDelta(self.said),) if self.said else ()


class Ending(Through):
    def __init__(self, at: str) -> None:
        super().__init__()
        self.at = at

    def feed(self, events: Sequence[Event]) -> Sequence[Event]:
        super().feed(events)
        if TextDelta(self.at) in events:
            raise AnswerEnded(self, LAST)
        return events

    def end(self) -> Sequence[Event]:
        super().end()
        if self.at == "end":
            raise AnswerEnded(self, LAST)
        return ()


class FlowOf:
    def __init__(self) -> None:
        self.cancelled = 0

    def pause(self) -> None:
        """Nothing flows."""

    def resume(self) -> None:
        """Nothing flows."""

    def cancel(self) -> None:
        self.cancelled += 1


def chain(*filters: Through) -> tuple[StreamChain, RecordingSink, FlowOf]:
    sink, flow = RecordingSink(), FlowOf()
    made = StreamChain([(one, StageFigures("s", "stream")) for one in filters], sink)
    made.flow = flow
    return made, sink, flow


def test_the_last_events_go_through_the_filters_behind_and_the_backend_stops() -> None:
    before, ending, after = Through("never"), Ending("stop"), Through("tail")
    made, sink, flow = chain(before, ending, after)
    made.feed([TextDelta("a")])
    made.feed([TextDelta("stop")])
    made.feed([TextDelta("more")])
    made.end()
    assert sink.events == [TextDelta("a"), *LAST, TextDelta("tail")]
    assert sink.ends == 1
    assert flow.cancelled == 1
    assert (before.ended, ending.ended, after.ended) == (0, 0, 1)
    assert after.seen == [TextDelta("a"), *LAST]


def test_a_filter_may_end_it_when_the_backend_has() -> None:
    made, sink, _ = chain(Ending("end"), after := Through())
    made.feed([TextDelta("a")])
    made.end()
    assert sink.events == [TextDelta("a"), *LAST]
    assert sink.ends == 1
    assert after.ended == 1


class Noting(Through):
    def __init__(self) -> None:
        super().__init__()
        self.left = 0

    def leave(self) -> None:
        self.left += 1


class Broken(Through):
    def feed(self, events: Sequence[Event]) -> Sequence[Event]:
        raise RuntimeError(repr(events))


@pytest.mark.parametrize("how", ["cancel", "fail", "break", "end early"])
def test_a_filter_that_takes_notes_hears_of_a_stream_that_does_not_end_well(how: str) -> None:
    noting = Noting()
    made, sink, _ = chain(noting, Broken() if how == "break" else Ending("stop"))
    match how:
        case "cancel":
            made.cancel()
        case "fail":
            made.fail(BackendUnavailable("it is gone"))
        case _:
            made.feed([TextDelta("stop")])
    assert noting.left == 1
    assert not noting.ended
    assert (sink.error is not None) == (how in {"fail", "break"})


def test_a_filter_that_takes_notes_hears_nothing_more_of_a_stream_that_ended() -> None:
    noting = Noting()
    made, _, _ = chain(noting)
    made.end()
    made.cancel()
    assert (noting.ended, noting.left) == (1, 0)
