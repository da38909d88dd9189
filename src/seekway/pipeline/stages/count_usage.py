"""Tokens and their times, noted in the request's record as they pass."""

from __future__ import annotations

import time
from collections.abc import Sequence

from seekway.core.types import Event, Finish, GenerateRequest, Usage
from seekway.observability.record import RequestRecord
from seekway.pipeline.exchange import Exchange


class CountUsage:
    """The access log and the metrics read the record when the request has ended, however it ended."""

    name = "count_usage"

    def open(self, request: GenerateRequest, exchange: Exchange) -> UsageCounter:
        return UsageCounter(exchange.record)


class UsageCounter:
    __slots__ = ("_record",)

    def __init__(self, record: RequestRecord) -> None:
        self._record = record

    def feed(self, events: Sequence[Event]) -> Sequence[Event]:
        record = self._record
        tokens = False
        for event in events:
            # By exact type, as elsewhere on this way: isinstance takes long to say no.
            if type(event) is Usage:
                record.usage = event
            elif type(event) is Finish:
                record.finish_reason = event.reason
            else:
                tokens = True
        if tokens:
            record.last_token_at = now = time.perf_counter()
            if record.first_token_at is None:
                record.first_token_at = now
        return events

    def end(self) -> Sequence[Event]:
        return ()
