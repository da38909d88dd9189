"""The outermost layer: request ids, the record of each request, its log line and metrics, and the last net under everything."""

from __future__ import annotations

import re
import uuid
from collections.abc import MutableMapping
from typing import Any, cast

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.typing import FilteringBoundLogger

from seekway.core.errors import InternalError
from seekway.gateway.drain import Drain
from seekway.gateway.streaming import error_response
from seekway.observability.logging import log_access
from seekway.observability.metrics import Metrics
from seekway.observability.record import RequestRecord

_RECORD = "seekway.record"
_SANE_ID = re.compile(r"[A-Za-z0-9._:\-]{1,128}")


def record_of(request: Request) -> RequestRecord:
    return cast("RequestRecord", request.scope[_RECORD])


class RequestEdge:
    """Plain ASGI, since Starlette's ``BaseHTTPMiddleware`` hides the client's going away."""

    def __init__(self, app: ASGIApp, *, drain: Drain, metrics: Metrics, log: FilteringBoundLogger) -> None:
        self._app = app
        self._drain = drain
        self._metrics = metrics
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        record = RequestRecord(_request_id(scope), scope["method"], scope["path"])
        scope[_RECORD] = record

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                record.status = message["status"]
                headers = MutableHeaders(raw=message["headers"])
                headers["x-request-id"] = record.request_id
                if self._drain.draining:
                    headers["connection"] = "close"
            await send(message)

        with self._drain.request():
            try:
                await self._app(scope, receive, marked)
            except Exception:  # noqa: BLE001 - the process's edge: logged here, an envelope for the client
                await self._failed(record, scope, receive, marked)
            finally:
                self._ended(record, scope)

    async def _failed(self, record: RequestRecord, scope: Scope, receive: Receive, send: Send) -> None:
        error = InternalError("Something went wrong here; the log has the details under this request's id.")
        record.error = error.code
        self._log.exception("request_failed", request_id=record.request_id)
        if not record.status:
            await error_response(error)(scope, receive, send)
        # An answer that has begun cannot be mended: the server closes the connection, and the client sees it cut.

    def _ended(self, record: RequestRecord, scope: MutableMapping[str, Any]) -> None:
        record.route = getattr(scope.get("route"), "path", "unmatched")
        self._metrics.request_ended(record)
        log_access(self._log, record)


def _request_id(scope: Scope) -> str:
    """The client's ``x-request-id`` if it is fit for a log and a header, else a new one."""
    headers = cast("list[tuple[bytes, bytes]]", scope["headers"])
    for name, value in headers:
        if name == b"x-request-id":
            given = value.decode("latin-1")
            if _SANE_ID.fullmatch(given):
                return given
    return uuid.uuid4().hex
