"""Tokens and their times, noted in the request's record as they pass."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator

from seekway.core.types import Event, Finish, Usage
from seekway.pipeline.exchange import Exchange


class CountUsage:
    """The access log and the metrics read the record when the request has ended, however it ended."""

    name = "count_usage"

    async def __call__(self, events: AsyncIterator[Event], exchange: Exchange) -> AsyncGenerator[Event]:
        record = exchange.record
        async for event in events:
            if isinstance(event, Usage):
                record.usage = event
            elif isinstance(event, Finish):
                record.finish_reason = event.reason
            else:
                record.last_token_at = time.perf_counter()
                if record.first_token_at is None:
                    record.first_token_at = record.last_token_at
            yield event
