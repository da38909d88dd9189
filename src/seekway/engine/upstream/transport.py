"""One backend's HTTP: bounded connections kept alive, timeouts, and every failure of the wire as a ``SeekwayError``.

TLS certificates are verified, redirects are not followed, cookies and proxies are not used.
aiohttp's exceptions hold the request's headers, the key among them, so none is ever chained to ours.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from types import SimpleNamespace
from typing import Literal

import aiohttp

from seekway.core.errors import (
    BackendProtocolError,
    BackendUnavailable,
    DeadlineExceeded,
    Overloaded,
    SeekwayError,
    StreamInterrupted,
)
from seekway.core.sections.backends import BackendSettings

_DRAIN_S = 0.25
_POOL_RETRY_AFTER_S = 1.0
_LOST = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, aiohttp.ClientConnectionResetError)


class Answer:
    """A response whose headers have come; ``read`` until it returns ``b""``."""

    def __init__(self, response: aiohttp.ClientResponse, transport: Transport, deadline: float | None) -> None:
        self.status = response.status
        self.media_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        self.retry_after = response.headers.get("Retry-After")
        self._response = response
        self._transport = transport
        self._deadline = deadline

    async def read(self) -> bytes:
        """The next bytes, decompressed; raises ``StreamInterrupted`` when the answer breaks off, ``DeadlineExceeded`` when time is up."""
        failure: SeekwayError
        try:
            async with asyncio.timeout_at(self._deadline):
                return await self._response.content.readany()
        except (aiohttp.ClientError, TimeoutError, OSError, RuntimeError) as error:
            # RuntimeError is aiohttp's word for reading from a connection that this side has closed.
            failure = self._transport.failure(error, begun=True)
        raise failure

    async def body(self, limit: int) -> bytes:
        """All of it; raises ``BackendProtocolError`` beyond ``limit`` bytes."""
        body = bytearray()
        while data := await self.read():
            body += data
            if len(body) > limit:
                raise BackendProtocolError(f"The backend {self._transport.name} answered more than {limit} bytes.")
        return bytes(body)

    async def start_of_body(self, limit: int) -> bytes:
        """What can be had of the first ``limit`` bytes, for reading a refusal; never raises for a broken body."""
        body = bytearray()
        with suppress(SeekwayError):
            while len(body) < limit and (data := await self.read()):
                body += data
        return bytes(body[:limit])

    async def drain(self) -> None:
        """Take what little follows a finished stream, so that the connection can serve the next request."""
        try:
            async with asyncio.timeout(_DRAIN_S):
                while await self._response.content.readany():
                    pass
        except (aiohttp.ClientError, TimeoutError, OSError):
            return


class Transport:
    """``settings`` say where and how patiently; ``api_key`` goes into one header and nowhere else."""

    def __init__(self, settings: BackendSettings, api_key: str | None) -> None:
        self.name = settings.name
        self._settings = settings
        self._authorization = f"Bearer {api_key}" if api_key else None
        self._slots = asyncio.Semaphore(settings.max_connections)
        self._timeout = aiohttp.ClientTimeout(
            connect=settings.connect_timeout_s,
            sock_connect=settings.connect_timeout_s,
            sock_read=settings.idle_timeout_s,
        )
        self._pooled: aiohttp.ClientSession | None = None
        self._single: aiohttp.ClientSession | None = None
        self._closed = False

    @asynccontextmanager
    async def exchange(
        self,
        method: Literal["GET", "POST"],
        url: str,
        body: bytes | None,
        *,
        accept: str,
        deadline: float | None,
    ) -> AsyncGenerator[Answer]:
        """Send a request; ``deadline`` is on the loop's clock.

        Leaving the block before the answer was read to its end closes the connection, which is how the backend learns to stop.
        Raises ``Overloaded`` when all connections stay busy for the connect timeout, ``BackendUnavailable`` when none can be made.
        """
        await self._take_slot(deadline)
        try:
            response = await self._send(method, url, body, accept, deadline)
            try:
                yield Answer(response, self, deadline)
            finally:
                response.close()  # does nothing to a connection that already went back to the pool
        finally:
            self._slots.release()

    async def close(self) -> None:
        """Close every connection; exchanges under way fail."""
        self._closed = True
        for session in (self._pooled, self._single):
            if session is not None:
                await session.close()

    async def _take_slot(self, deadline: float | None) -> None:
        patience = asyncio.get_running_loop().time() + self._settings.connect_timeout_s
        late = deadline is not None and deadline < patience
        try:
            async with asyncio.timeout_at(deadline if late else patience):
                await self._slots.acquire()
        except TimeoutError:
            if late:
                raise self._out_of_time() from None
            raise Overloaded(
                f"All {self._settings.max_connections} connections to the backend {self.name} are busy; wait and try again.",
                retry_after_s=_POOL_RETRY_AFTER_S,
            ) from None

    async def _send(
        self, method: str, url: str, body: bytes | None, accept: str, deadline: float | None
    ) -> aiohttp.ClientResponse:
        headers = {"Accept": accept, "User-Agent": "seekway"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if accept == "text/event-stream":
            # Compression holds back events until its window fills.
            headers["Accept-Encoding"] = "identity"
        if self._authorization is not None:
            headers["Authorization"] = self._authorization
        pooled, single = self._sessions()
        trace = SimpleNamespace(reused=False)
        for session in (pooled, single):
            failure: SeekwayError
            try:
                async with asyncio.timeout_at(deadline):
                    return await session.request(
                        method, url, data=body, headers=headers, allow_redirects=False, trace_request_ctx=trace
                    )
            except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
                failure = self.failure(error, begun=False)
                stale = session is pooled and trace.reused and _nothing_received(error)
            if not stale:
                raise failure
        raise failure

    def _sessions(self) -> tuple[aiohttp.ClientSession, aiohttp.ClientSession]:
        """The kept-alive pool, and one that always connects anew, for the one retry after a pooled connection turned out dead."""
        if self._closed:
            raise BackendUnavailable(f"The backend {self.name} is closed.")
        if self._pooled is None or self._single is None:
            limit = self._settings.max_connections
            trace = aiohttp.TraceConfig()
            trace.on_connection_reuseconn.append(_note_reuse)
            self._pooled = self._session(aiohttp.TCPConnector(limit=limit), [trace])
            self._single = self._session(aiohttp.TCPConnector(limit=limit, force_close=True), [])
        return self._pooled, self._single

    def _session(self, connector: aiohttp.TCPConnector, traces: list[aiohttp.TraceConfig]) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=connector,
            timeout=self._timeout,
            cookie_jar=aiohttp.DummyCookieJar(),
            trace_configs=traces,
            trust_env=False,
        )

    def failure(self, error: Exception, *, begun: bool) -> SeekwayError:
        """The error for a failure of the wire; ``begun`` once the answer's headers have come."""
        name = self.name
        if self._closed:
            return BackendUnavailable(f"The backend {name} is closed.")
        if isinstance(error, aiohttp.ConnectionTimeoutError):
            return BackendUnavailable(
                f"The backend {name} did not accept a connection within {self._settings.connect_timeout_s:g} s."
            )
        if isinstance(error, aiohttp.SocketTimeoutError):
            return DeadlineExceeded(f"The backend {name} was silent for {self._settings.idle_timeout_s:g} s.")
        if isinstance(error, aiohttp.ClientConnectorDNSError):
            return BackendUnavailable(f"The host of the backend {name} is not known; check its base_url.")
        if isinstance(error, aiohttp.ClientConnectorCertificateError):
            return BackendUnavailable(f"The certificate of the backend {name} cannot be verified.")
        if isinstance(error, aiohttp.ClientConnectorError):
            return BackendUnavailable(f"The backend {name} cannot be reached; see that it runs and check its base_url.")
        if isinstance(error, TimeoutError):
            return self._out_of_time()
        if isinstance(error, (aiohttp.ClientResponseError, ValueError)):
            return BackendProtocolError(f"The backend {name} does not speak HTTP as it should; check its base_url.")
        if begun:
            return StreamInterrupted(f"The backend {name} broke off its answer; try again.")
        return BackendUnavailable(f"The backend {name} closed the connection without an answer; try again.")

    def _out_of_time(self) -> DeadlineExceeded:
        return DeadlineExceeded(f"The backend {self.name} did not finish within the time given; try again.")


async def _note_reuse(
    _session: aiohttp.ClientSession, context: SimpleNamespace, _params: aiohttp.TraceConnectionReuseconnParams
) -> None:
    context.trace_request_ctx.reused = True


def _nothing_received(error: Exception) -> bool:
    """Whether the connection was lost before a byte of the answer: aiohttp gives the begun head as the message otherwise."""
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return isinstance(error.message, str)
    return isinstance(error, _LOST) and not isinstance(error, aiohttp.ClientConnectorError)
