"""Where each request, over HTTP or gRPC, is begun and ended: its id and record, the count of those in flight, its metrics and its line in the access log."""

from __future__ import annotations

import random
import re
import time

from seekway.gateway.drain import Drain
from seekway.observability.access_log import AccessLog
from seekway.observability.metrics import Metrics
from seekway.observability.record import RequestRecord
from seekway.pipeline.exchange import Headers

_SANE_ID = re.compile(r"[A-Za-z0-9._:\-]{1,128}")


class RequestLedger:
    def __init__(self, drain: Drain, metrics: Metrics, access_log: AccessLog) -> None:
        self.drain = drain
        self._metrics = metrics
        self._access_log = access_log

    def begin(self, method: str, path: str, headers: Headers) -> RequestRecord:
        self.drain.enter()
        return RequestRecord(_request_id(headers), method, path)

    def ended(self, record: RequestRecord) -> None:
        """Once for each record that was begun."""
        self.drain.leave()
        record.ended = time.perf_counter()
        self._metrics.request_ended(record)
        self._access_log.write(record)

    def flush(self) -> None:
        """Write the lines that still wait."""
        self._access_log.flush()


def _request_id(headers: Headers) -> str:
    """The client's ``x-request-id`` if it is fit for a log and a header, else a new one."""
    given = headers.get(b"x-request-id")
    if given is not None and _SANE_ID.fullmatch(given):
        return given
    return f"{random.getrandbits(128):032x}"
