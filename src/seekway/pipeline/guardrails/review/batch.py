"""Reviews whole texts."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

from structlog.typing import FilteringBoundLogger

from seekway.pipeline.guardrails.detector import Detector, Finding
from seekway.pipeline.guardrails.review.policy import Part, Watch
from seekway.pipeline.guardrails.review.verdict import Judged, Verdict, in_order, merged, most_severe

_WINDOW: Final = 16_384
"""Characters that a long text is looked through at a time: memory and the time in which nothing else can run do not grow with the text."""


class GivenUp(Exception):
    """Nobody waits for the review any more."""


def findings_of(
    detector: Detector, text: str, given_up: Callable[[], bool] | None = None, *, window: int = _WINDOW
) -> Sequence[Finding]:
    """What ``detector`` finds in the whole text; one longer than two windows is read as a stream is, which finds the same.

    Raises ``GivenUp`` when ``given_up`` says so between two windows.
    """
    if len(text) <= 2 * window or detector.needs_whole:
        return detector.scan(text, 0, final=True).findings
    found: list[Finding] = []
    safe, end = 0, window
    while True:
        if given_up is not None and given_up():
            raise GivenUp
        final = end >= len(text)
        begin = max(0, safe - detector.context_chars)
        findings, settled = detector.scan(text[begin:end], safe - begin, final=final)
        found += [_moved(one, begin) for one in findings] if begin else findings
        if final:
            return found
        safe = begin + settled
        end += window


def _moved(found: Finding, by: int) -> Finding:
    return Finding(
        found.detector,
        found.category,
        found.severity,
        found.start + by,
        found.end + by,
        found.rule,
        found.score,
    )


class BatchReviewer:
    """Counts nothing but detectors that fail: whoever acts on a verdict counts it. May be called from several threads."""

    def __init__(self, log: FilteringBoundLogger) -> None:
        self._log = log

    def review(
        self,
        text: str,
        part: Part,
        watches: Sequence[Watch] | None = None,
        *,
        given_up: Callable[[], bool] | None = None,
    ) -> Verdict:
        """By all of the part's detectors, or by ``watches`` alone.

        One that raises is named in the verdict: what that means is the policy's ``on_failure`` to say.
        Raises ``GivenUp`` when ``given_up`` says, in the middle of a long text, that nobody waits.
        """
        if given_up is not None and given_up():
            raise GivenUp
        judged: list[Judged] = []
        failed: list[str] = []
        seconds: list[float] = []
        at_once = len(text) <= 2 * _WINDOW
        clock = time.perf_counter
        then = clock()
        for watch in part.watches if watches is None else watches:
            detector = watch.detector
            try:
                findings = (
                    detector.scan(text, 0, final=True).findings if at_once else findings_of(detector, text, given_up)
                )
            except GivenUp:
                raise
            except Exception as error:  # noqa: BLE001 - the edge to a detector: what it does wrong must not pass for a clean text
                failed.append(detector.name)
                watch.figures.failures += 1
                told(self._log, detector.name, part, error)
            else:
                for finding in findings:
                    action = part.actions.of(finding)
                    if action != "pass":
                        judged.append(Judged(finding, action))
            now = clock()
            seconds.append(now - then)
            then = now
        if not judged:
            return Verdict(failed=tuple(failed), seconds=tuple(seconds))
        judged = in_order(judged)
        return Verdict(most_severe(judged), tuple(judged), tuple(merged(judged)), tuple(failed), tuple(seconds))


def told(log: FilteringBoundLogger, detector: str, part: Part, error: Exception) -> None:
    """The kind of error and where it came up; its message may hold what the user wrote."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = "" if trace is None else f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
    log.error(
        "guardrail_detector_failed",
        detector=detector,
        policy=part.policy,
        part=part.name,
        on_failure=part.on_failure,
        error=type(error).__name__,
        where=where,
    )
