"""The outermost layer: request ids, the record of each request, its log line and metrics, and the last net under everything."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any, cast

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.typing import FilteringBoundLogger

from seekway.core.errors import InternalError
from seekway.gateway.error_response import error_response, form_for
from seekway.gateway.request_ledger import RequestLedger
from seekway.observability.record import RequestRecord
from seekway.pipeline.exchange import Headers

_RECORD = "seekway.record"


def record_of(request: Request) -> RequestRecord:
    return cast("RequestRecord", request.scope[_RECORD])


class RequestEdge:
    """Plain ASGI, since Starlette's ``BaseHTTPMiddleware`` hides the client's going away."""

    def __init__(self, app: ASGIApp, *, ledger: RequestLedger, log: FilteringBoundLogger) -> None:
        self._app = app
        self._ledger = ledger
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        record = self._ledger.begin(scope["method"], scope["path"], Headers(scope["headers"]))
        scope[_RECORD] = record

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                record.status = message["status"]
                headers = MutableHeaders(raw=message["headers"])
                headers["x-request-id"] = record.request_id
                if self._ledger.drain.draining:
                    headers["connection"] = "close"
            await send(message)

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
            await error_response(error, form_for(record.path), record.request_id)(scope, receive, send)
        # An answer that has begun cannot be mended: the server closes the connection, and the client sees it cut.

    def _ended(self, record: RequestRecord, scope: MutableMapping[str, Any]) -> None:
        record.route = getattr(scope.get("route"), "path", "unmatched")
        self._ledger.ended(record)
