"""Reviews a text as it arrives, and passes on what is settled."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from seekway.core.errors import ReviewUnavailable
from seekway.pipeline.guardrails.detector import Finding
from seekway.pipeline.guardrails.review.policy import Part, Watch
from seekway.pipeline.guardrails.review.verdict import ENDING, Judged, Passage, in_order, merged

HELD_MOST: Final = 2048
"""Characters held back at most: passages that overlap without end are cut there, and stay covered."""

NOTED_AT_ONCE: Final = 256
"""Characters after which detectors that change nothing look again: what they find is noted so much later, and each look costs as much however little is new."""

OnFound = Callable[[Part, Sequence[Judged]], None]
OnFailed = Callable[[Part, str, Exception], None]


class Released(NamedTuple):
    """``text`` may go on; it stands for ``length`` characters of what came, the next ones in order, and ``changed`` are the places in them that were.

    ``ending`` is the passage at which the text ends; then ``text`` is what stood before it.
    """

    text: str
    length: int
    changed: Sequence[tuple[int, int]] = ()
    ending: Passage | None = None


class Tail(NamedTuple):
    """The end of a text: ``held`` might still have become something, ``context`` stood before it."""

    context: str
    held: str


_NOTHING = Released("", 0)
_NO_TAIL = Tail("", "")


class TextReviewer:
    """One text of one answer, seen by the detectors of ``part`` and those of its ``own``. What it releases, put together, is what
    :func:`seekway.pipeline.guardrails.review.policy.masked` makes of the whole text, however that was cut.

    Text waits only for detectors whose findings may change it. Where the policy is open to failures, the others look at its beginning,
    then whenever :data:`NOTED_AT_ONCE` characters have come, and at the end, for which :meth:`leave` stands where the text is broken off; where it is
    closed nothing goes on that they could not look through.
    ``tail`` is what went before of a text that was settled and goes on all the same: what begins there cannot be taken back, but no more of it goes out.
    ``whole``: all of it comes at once, so that nothing waits for anything.
    ``on_found`` hears of each finding once, when its place is released; ``on_failed`` of a detector that raised, after which the text is refused
    with ``ReviewUnavailable`` or, by the policy, goes on without it.
    """

    __slots__ = ("_at_once", "_changing", "_enough", "_noting", "_unnoted")

    def __init__(
        self,
        part: Part,
        on_found: OnFound,
        on_failed: OnFailed,
        own: Sequence[Watch] = (),
        *,
        tail: Tail | None = None,
        whole: bool = False,
    ) -> None:
        changing, noting = (part.watches, ()) if whole else (part.changing, part.noting)
        for watch in own:
            if whole or part.actions.may_change(watch.detector.name):
                changing = (*changing, watch)
            else:
                noting = (*noting, watch)
        self._changing = _Held(part, changing, on_found, on_failed, tail) if changing else None
        self._noting = _Held(part, noting, on_found, on_failed) if noting else None
        self._unnoted = ""
        self._enough = 1
        self._at_once = NOTED_AT_ONCE if part.on_failure == "open" else 1

    @property
    def tail(self) -> Tail | None:
        """For whoever goes on with the text after it was settled; asked before."""
        return None if self._changing is None else self._changing.tail

    @property
    def holds(self) -> bool:
        """Whether something that came has not gone on."""
        return self._changing is not None and self._changing.holds

    def feed(self, text: str, *, final: bool = False) -> Released:
        """What may go on now; after ``final`` nothing is held."""
        if self._noting is not None:
            self._unnoted += text
            if final or len(self._unnoted) >= self._enough:
                self._note(final=final)
        return Released(text, len(text)) if self._changing is None else self._changing.feed(text, final=final)

    def leave(self) -> None:
        """Nothing more comes, and nobody waits for what is held: what has come is noted."""
        if self._noting is not None:
            self._note(final=True)

    def _note(self, *, final: bool) -> None:
        text, self._unnoted, self._enough = self._unnoted, "", self._at_once
        if self._noting is not None:
            self._noting.feed(text, final=final)


class _Held:
    """The end of a text that is not settled, as some detectors see it."""

    __slots__ = ("_context", "_context_chars", "_covered", "_held", "_on_failed", "_on_found", "_part", "_watches")

    def __init__(
        self,
        part: Part,
        watches: tuple[Watch, ...],
        on_found: OnFound,
        on_failed: OnFailed,
        tail: Tail | None = None,
    ) -> None:
        self._part = part
        self._watches = watches
        self._on_found = on_found
        self._on_failed = on_failed
        self._context, self._held = _NO_TAIL if tail is None else tail
        self._context_chars = -1
        self._covered = len(self._held)
        """So many of the held characters lie in a passage whose stand-in has gone out."""

    @property
    def holds(self) -> bool:
        return bool(self._held)

    @property
    def tail(self) -> Tail:
        return Tail(self._context, self._held)

    def feed(self, text: str, *, final: bool) -> Released:
        held = self._held + text
        if not held:
            return _NOTHING
        context = self._context
        start = len(context)
        whole = context + held if start else held
        safe = len(whole)
        found: list[Finding] = []
        clock = time.perf_counter
        then = clock()
        for watch in self._watches:
            try:
                findings, settled = watch.detector.scan(whole, start, final=final)
            except Exception as error:  # noqa: BLE001 - the edge to a detector: what it does wrong must not pass for a clean text
                watch.figures.failures += 1
                self._fail(watch.detector.name, error)
                continue
            if findings:
                found.extend(findings)
            if settled < safe:
                safe = settled
            now = clock()
            figures = watch.figures
            figures.scans += 1
            figures.seconds += now - then
            then = now
        if not found and not self._covered:
            if final:
                self._held = ""
                return Released(held, len(held))
            return self._release_clean(whole, held, start, safe)
        return self._release(whole, start, max(safe, start), found)

    def _release_clean(self, whole: str, held: str, start: int, safe: int) -> Released:
        if safe >= len(whole):
            self._held = ""
            self._keep_context(whole)
            return Released(held, len(held))
        if safe <= start:
            self._held = held
            return _NOTHING
        self._held = whole[safe:]
        self._keep_context(whole[:safe])
        return Released(whole[start:safe], safe - start)

    def _release(self, whole: str, start: int, safe: int, found: list[Finding]) -> Released:
        part = self._part
        judged = [Judged(one, action) for one in found if (action := part.actions.of(one)) != "pass"]
        judged = in_order(judged)
        passages = merged(judged)
        cut = _before_crossing(safe, passages)
        if len(whole) - cut > HELD_MOST:
            cut = max(cut, safe)
        # Later scans begin at the cut, and do not have them again.
        settled = [j for j in judged if j.finding.start < cut]
        covered = start + self._covered
        self._covered = 0
        shown: list[Passage] = []
        for passage in passages:
            if passage.start >= cut:
                break
            if passage.action in ENDING:
                self._held = ""
                self._tell([j for j in settled if j.finding.start < passage.end])
                text = self._cover(whole, start, passage.start, covered, shown)
                return Released(text, passage.start - start, _places(shown, start, covered), passage)
            shown.append(passage)
            if passage.end > cut:
                self._covered = passage.end - cut
        self._tell(settled)
        text = self._cover(whole, start, cut, covered, shown)
        self._held = whole[cut:]
        self._keep_context(whole[:cut])
        self._covered = max(self._covered, covered - cut)
        return Released(text, cut - start, _places(shown, start, covered))

    def _cover(self, whole: str, start: int, end: int, covered: int, passages: Sequence[Passage]) -> str:
        """``whole[start:end]`` with stand-ins; what lies before ``covered`` has had its own."""
        at = min(max(start, covered), end)
        pieces: list[str] = []
        for passage in passages:
            if passage.start >= at:
                pieces += (whole[at : passage.start], self._part.stand_in(passage))
            at = max(at, min(passage.end, end))
        pieces.append(whole[at:end])
        return "".join(pieces)

    def _keep_context(self, passed: str) -> None:
        chars = self._context_chars
        if chars < 0:  # of a text that comes whole it is never asked for
            chars = self._context_chars = max([watch.detector.context_chars for watch in self._watches], default=0)
        self._context = passed[-chars:] if chars else ""

    def _tell(self, judged: Sequence[Judged]) -> None:
        if judged:
            self._on_found(self._part, judged)

    def _fail(self, detector: str, error: Exception) -> None:
        self._on_failed(self._part, detector, error)
        if self._part.on_failure == "closed":
            raise ReviewUnavailable(
                "The answer could not be reviewed, so that nothing more of it is given; try again later."
            )
        self._watches = tuple(watch for watch in self._watches if watch.detector.name != detector)


def _before_crossing(cut: int, passages: Sequence[Passage]) -> int:
    """``cut``, or the start of the passage it lies in."""
    for passage in passages:
        if passage.start < cut < passage.end:
            return passage.start
    return cut


def _places(passages: Sequence[Passage], start: int, covered: int) -> Sequence[tuple[int, int]]:
    """Counted from what was held."""
    places = [(passage.start - start, passage.end - start) for passage in passages]
    return [(0, covered - start), *places] if covered > start else places
