"""One backend's HTTP: what every request says of itself, and whole answers for those who can wait.

TLS certificates are verified, redirects are not followed, cookies and proxies are not used.
"""

from __future__ import annotations

import asyncio
import base64
import math
import zlib
from typing import Literal

from structlog.typing import FilteringBoundLogger

from seekway.core.errors import ConfigError, SeekwayError
from seekway.core.sections.backends import BackendSettings
from seekway.core.sections.log import LogSettings
from seekway.engine.upstream.call import Call
from seekway.engine.upstream.dialing import Dialer, origin_of, target_of
from seekway.engine.upstream.failures import WireFailures
from seekway.engine.upstream.names import Names
from seekway.engine.upstream.pool import Pool
from seekway.observability.logging import make_logger

MAX_REFUSAL_BYTES = 64 * 1024


class Answer:
    """A whole answer; the body of one with another status than 200 may be cut off."""

    __slots__ = ("body", "media_type", "retry_after", "status")

    def __init__(self, call: Call, body: bytes) -> None:
        self.status = call.status
        self.media_type = call.media_type
        self.retry_after = call.retry_after
        self.body = body


class Transport:
    """``settings`` say where and how patiently; ``api_key`` goes into one header and nowhere else.

    Raises ``ConfigError`` for an address or a key that cannot be sent.
    """

    def __init__(self, settings: BackendSettings, api_key: str | None, log: FilteringBoundLogger | None = None) -> None:
        origin = origin_of(settings.base_url)
        self.failures = WireFailures(settings)
        self._names = Names(origin.host, origin.port, log or make_logger(LogSettings()))
        self.pool = Pool(
            Dialer(origin, self._names),
            self.failures,
            limit=settings.max_connections,
            connect_timeout_s=settings.connect_timeout_s,
            idle_timeout_s=settings.idle_timeout_s,
        )
        # Compression would hold back events until its window fills.
        self._every_head = f"Host: {origin.authority}\r\nUser-Agent: seekway\r\nAccept-Encoding: identity\r\n".encode()
        authorization = _authorization(api_key, origin.user)
        if authorization is not None:
            self._every_head += b"Authorization: %b\r\n" % authorization

    def head(self, method: Literal["GET", "POST"], url: str, accept: str) -> bytes:
        """A request's head; for a ``POST`` up to the number of its ``Content-Length``, see :func:`with_body`."""
        line = f"{method} {target_of(url)} HTTP/1.1\r\nAccept: {accept}\r\n".encode()
        if method == "GET":
            return line + self._every_head + b"\r\n"
        return line + self._every_head + b"Content-Type: application/json\r\nContent-Length: "

    async def fetch(self, payload: bytes, *, limit: int, deadline: float) -> Answer:
        """The whole answer to ``payload``, a request as it goes over the wire; ``deadline`` is on the loop's clock.

        Raises ``SeekwayError`` when none comes, when it breaks off and when it has more than ``limit`` bytes.
        """
        call = _Fetch(self.pool, limit)
        call.payload = payload
        call.deadline = deadline
        self.pool.submit(call)
        try:
            outcome = await call.outcome
        finally:
            if not call.over:
                call.abandon()
        if isinstance(outcome, SeekwayError):
            raise outcome
        return outcome

    async def close(self) -> None:
        """Close every connection; what is under way fails."""
        await self.pool.close()
        await self._names.close()


def with_body(head: bytes, body: bytes) -> bytes:
    return b"%b%d\r\n\r\n%b" % (head, len(body), body)


class WholeCall(Call):
    """A call whose answer is wanted when it is whole; ``done`` is called with the body, once, or ``broken`` with the error.

    A refusal (any status but 200) is taken as far as it came, so that a broken one is still that refusal.
    """

    __slots__ = ("limit", "pieces")

    def __init__(self, pool: Pool, limit: int) -> None:
        super().__init__(pool)
        self.limit = limit
        self.pieces: list[bytes] = []

    def done(self, body: bytes) -> None:
        raise NotImplementedError

    def broken(self, error: SeekwayError) -> None:
        raise NotImplementedError

    def received(self, data: bytes) -> None:
        if self.inflate is None:
            self._keep(data)
            return
        self.inflate.feed(data)
        try:
            while not self.over and (piece := self.inflate.take()):
                self._keep(piece)
        except zlib.error:
            self.give_up(self.pool.failures.lost(begun=True))

    def finished(self) -> None:
        if self.over:
            return
        if self.inflate is not None and not self.inflate.whole and self.total:
            self.lost(self.pool.failures.lost(begun=True))
            return
        self.over = True
        self.done(self.pieces[0] if len(self.pieces) == 1 else b"".join(self.pieces))

    def lost(self, error: SeekwayError) -> None:
        if self.over:
            return
        self.over = True
        if self.status not in (0, 200):
            self.done(b"".join(self.pieces))
        else:
            self.broken(error)

    def _keep(self, data: bytes) -> None:
        self.pieces.append(data)
        self.total += len(data)
        if self.status != 200 and self.total >= MAX_REFUSAL_BYTES:
            self.pool.forget(self)
            self.over = True
            self.done(b"".join(self.pieces)[:MAX_REFUSAL_BYTES])
        elif self.total > self.limit:
            self.give_up(self.pool.failures.too_long(self.limit))


class _Fetch(WholeCall):
    __slots__ = ("outcome",)

    def __init__(self, pool: Pool, limit: int) -> None:
        super().__init__(pool, limit)
        self.outcome: asyncio.Future[Answer | SeekwayError] = asyncio.get_running_loop().create_future()

    def done(self, body: bytes) -> None:
        if not self.outcome.done():
            self.outcome.set_result(Answer(self, body))

    def broken(self, error: SeekwayError) -> None:
        if not self.outcome.done():
            self.outcome.set_result(error)


def deadline_after(seconds: float | None) -> float:
    """On the loop's clock; infinite for None."""
    return math.inf if seconds is None else asyncio.get_running_loop().time() + seconds


def _authorization(api_key: str | None, user: tuple[str, str] | None) -> bytes | None:
    if api_key:
        if not (api_key.isascii() and api_key.isprintable()):
            raise ConfigError("A backend's API key holds characters that no HTTP header can carry; check the key.")
        return b"Bearer " + api_key.encode()
    if user is None:
        return None
    return b"Basic " + base64.b64encode(":".join(user).encode())
