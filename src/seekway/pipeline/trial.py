"""A text's way through the stages, for show: what ``/api/v1/data`` reports."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from seekway.core.errors import SeekwayError
from seekway.core.types import Event, Finish, GenerateRequest, TextDelta, Usage
from seekway.pipeline.exchange import Exchange
from seekway.pipeline.guardrails.review.notes import FindingNote
from seekway.pipeline.slices import slices_of
from seekway.pipeline.stage import AnswerEnded, RequestStage, StreamStage


class StageTrace(msgspec.Struct, frozen=True):
    """What one stage did to one request or stream: the fields it changed (before, after), or the events that came out."""

    name: str
    kind: Literal["request", "stream"]
    seconds: float
    changed: dict[str, tuple[Any, Any]] = {}
    events_in: int = 0
    events: tuple[Event, ...] = ()
    error: str | None = None
    verdicts: tuple[FindingNote, ...] = ()
    """What the guardrails found here, and what their policy does about it."""


async def try_stages(
    request_stages: Sequence[RequestStage],
    stream_stages: Sequence[StreamStage],
    request: GenerateRequest,
    text: str,
    exchange: Exchange,
) -> tuple[StageTrace, ...]:
    """The traces up to and including the first stage that refuses."""
    traces: list[StageTrace] = []
    for stage in request_stages:
        started, before = time.perf_counter(), request
        try:
            after = stage(request, exchange)
            request = after if isinstance(after, GenerateRequest) else await after
        except SeekwayError as error:
            traces.append(_refused(stage.name, "request", started, error, exchange))
            return tuple(traces)
        changed = _difference(before, request)
        seconds = time.perf_counter() - started
        traces.append(StageTrace(stage.name, "request", seconds, changed=changed, verdicts=_verdicts(exchange)))
    events: Sequence[Event] = (TextDelta(text), Usage(0, 0), Finish("stop"))
    for stage in stream_stages:
        started, count = time.perf_counter(), len(events)
        given: list[Event] = []
        try:
            stream_filter = stage.open(request, exchange)
            if stream_filter is not None:
                for event in events:
                    for piece in slices_of(event):
                        given += stream_filter.feed((piece,))
                        # Others have their turn while a long text is looked through.
                        await asyncio.sleep(0)
                events = (*given, *stream_filter.end())
        except AnswerEnded as ended:
            events = (*given, *ended.events)
        except SeekwayError as error:
            traces.append(_refused(stage.name, "stream", started, error, exchange))
            return tuple(traces)
        seconds = time.perf_counter() - started
        traces.append(
            StageTrace(
                stage.name, "stream", seconds, events_in=count, events=tuple(events), verdicts=_verdicts(exchange)
            )
        )
    return tuple(traces)


def _refused(
    name: str, kind: Literal["request", "stream"], started: float, error: SeekwayError, exchange: Exchange
) -> StageTrace:
    seconds = time.perf_counter() - started
    return StageTrace(name, kind, seconds, error=f"{error.code}: {error}", verdicts=_verdicts(exchange))


def _verdicts(exchange: Exchange) -> tuple[FindingNote, ...]:
    """Those since the last call."""
    if exchange.review is None or not exchange.review.shown:
        return ()
    found, exchange.review.shown = tuple(exchange.review.shown), []
    return found


def _difference(before: GenerateRequest, after: GenerateRequest) -> dict[str, tuple[Any, Any]]:
    """Fields that differ, as plain JSON values."""
    if before is after:
        return {}
    pairs = ((name, getattr(before, name), getattr(after, name)) for name in before.__struct_fields__)
    return {name: (msgspec.to_builtins(old), msgspec.to_builtins(new)) for name, old, new in pairs if old != new}
