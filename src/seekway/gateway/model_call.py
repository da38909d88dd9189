"""One request to a model, from its body to its last byte, without a task of its own where nobody has to wait.

The pipeline feeds it events, it feeds the client's connection; a slow client holds the backend back, one that goes away ends its work.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

from structlog.typing import FilteringBoundLogger

from seekway.core.errors import (
    Cancelled,
    DeadlineExceeded,
    InternalError,
    OperatorError,
    RequestTimeout,
    SeekwayError,
    unforeseen,
)
from seekway.core.ports import AnswerSink, Flow
from seekway.core.sections.gateway import GatewaySettings
from seekway.core.types import Event, GenerateRequest
from seekway.gateway.authentication import Authenticator
from seekway.gateway.client_writer import ClientWriter
from seekway.gateway.drain import Drain
from seekway.gateway.encoder import Encoder, ErrorForm
from seekway.gateway.sweep import Sweep, Swept
from seekway.observability.record import RequestRecord
from seekway.pipeline.caller import ANONYMOUS
from seekway.pipeline.exchange import Exchange, Headers
from seekway.pipeline.pipeline import Pipeline

T = TypeVar("T")
MakeEncoder = Callable[[Exchange], Encoder]
_STREAM_HEADERS = [(b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no")]
_JSON = "application/json"
_SWEEP_S = 0.05


class Operation(Protocol):
    """What a model is asked to do, in one dialect."""

    @property
    def name(self) -> str:
        """For the record: ``chat``, ``embeddings`` …"""
        ...

    @property
    def errors(self) -> ErrorForm: ...

    def open(self, call: ModelCall, path: str, body: bytes, /) -> None:
        """Read ``body`` and begin: ``call.generate`` or ``call.inquire``, once. Raises a ``SeekwayError`` for what cannot be read."""
        ...


class RunningCall(Swept, Protocol):
    def break_off(self, error: SeekwayError, /) -> None:
        """Stop the work and answer with ``error``."""
        ...


class CallServices:
    """What every call of one configuration shares."""

    __slots__ = ("_calls", "_idle", "authenticator", "drain", "log", "pipeline", "settings", "sweep")

    def __init__(
        self,
        settings: GatewaySettings,
        pipeline: Pipeline,
        authenticator: Authenticator,
        drain: Drain,
        log: FilteringBoundLogger,
    ) -> None:
        self.settings = settings
        self.pipeline = pipeline
        self.authenticator = authenticator
        self.drain = drain
        self.log = log
        self.sweep: Sweep[RunningCall] = Sweep(_SWEEP_S)
        self._calls = 0
        self._idle: asyncio.Future[None] | None = None

    @property
    def calls(self) -> int:
        """How many go by these now."""
        return self._calls

    def enter(self) -> None:
        """A call goes by these, until :meth:`leave`."""
        self._calls += 1

    def leave(self) -> None:
        self._calls -= 1
        if not self._calls and self._idle is not None and not self._idle.done():
            self._idle.set_result(None)

    async def idle(self) -> None:
        """Until no call goes by these."""
        while self._calls:
            self._idle = asyncio.get_running_loop().create_future()
            await self._idle

    def end_calls(self, error: SeekwayError) -> None:
        for call in self.sweep.members():
            call.break_off(error)

    def admit(self, exchange: Exchange) -> None:
        """Find out who asks. Raises ``Overloaded`` while draining and ``AuthenticationFailed`` for a key that is not good."""
        self.drain.check()
        caller = exchange.caller = self.authenticator.check(exchange.headers)
        exchange.record.tenant, exchange.record.key_id = caller.tenant, caller.key_id


class ModelCall:
    """An :class:`seekway.core.ports.EventSink`. Headers go out with the first bytes or the first keep-alive; an error before that has its own status.

    ``at_end`` is called once when nothing more will be written.
    """

    __slots__ = (
        "_at_end",
        "_begun",
        "_deadline",
        "_encoder",
        "_exchange",
        "_flow",
        "_loop",
        "_make_encoder",
        "_operation",
        "_services",
        "_touched",
        "_writer",
        "over",
    )

    def __init__(
        self,
        services: CallServices,
        operation: Operation,
        record: RequestRecord,
        headers: Headers,
        writer: ClientWriter,
        at_end: Callable[[], None],
    ) -> None:
        self._services = services
        services.enter()
        self._operation = operation
        self._writer = writer
        self._at_end = at_end
        self._loop = asyncio.get_running_loop()
        self._touched = self._loop.time()
        self._deadline = self._touched - record.duration_s() + services.settings.request_timeout_s
        self._exchange = Exchange(record, ANONYMOUS, headers, deadline=self._deadline)
        self._encoder: Encoder | None = None
        self._make_encoder: MakeEncoder | None = None
        self._flow: Flow | None = None
        self._begun = False
        self.over = False
        record.operation = operation.name

    @property
    def exchange(self) -> Exchange:
        return self._exchange

    @property
    def deadline(self) -> float:
        """On the loop's clock."""
        return self._deadline

    @property
    def pipeline(self) -> Pipeline:
        return self._services.pipeline

    def admit(self) -> bool:
        """Refuse before the body is read; False when it was refused."""
        try:
            self._services.admit(self._exchange)
        except SeekwayError as error:
            self.fail(error)
            return False
        return True

    def run(self, path: str, body: bytes) -> None:
        """Begin to answer the admitted request."""
        try:
            self._operation.open(self, path, body)
        except SeekwayError as error:
            self.fail(error)
        except Exception as error:  # noqa: BLE001 - the request's edge: called from a connection's callback
            self.fail(unforeseen(error))
        else:
            if not self.over:
                self._services.sweep.add(self)

    def generate(self, request: GenerateRequest, make_encoder: MakeEncoder) -> None:
        """Ask a model; ``make_encoder`` is called when the answer begins, the exchange's route is known then."""
        self._make_encoder = make_encoder
        self._flow = self._services.pipeline.start(request, self._exchange, self)

    def inquire(self, start: Callable[[AnswerSink[T]], Flow], encode: Callable[[T], bytes]) -> None:
        """Ask a question; its answer, as ``encode`` writes it, is one JSON body."""
        self._flow = start(_Reply(self, encode))

    def left_s(self) -> float:
        return max(self._deadline - self._loop.time(), 0.001)

    def feed(self, events: Sequence[Event]) -> None:
        if self.over:
            return
        try:
            encoder = self._encoder or self._encode()
            body = encoder.feed(events)
        except Exception as error:  # noqa: BLE001 - as above
            self.break_off(error)
            return
        if body:
            self._write(encoder, body)

    def end(self) -> None:
        if self.over:
            return
        try:
            encoder = self._encoder or self._encode()
            tail = encoder.end()
        except Exception as error:  # noqa: BLE001 - as above
            self.break_off(error)
            return
        if self._begun:
            self._writer.finish(tail)
        else:
            self.answer(encoder.media_type, tail)
            return
        self._close()

    def answer(self, media_type: str, body: bytes) -> None:
        """The whole answer; behind a keep-alive it is the rest of it."""
        if self.over:
            return
        if self._begun:
            self._writer.finish(body)
        else:
            self._exchange.record.status = 200
            self._writer.answer(200, media_type, self._exchange.response_headers, body)
        self._close()

    def fail(self, error: SeekwayError) -> None:
        if self.over:
            return
        if isinstance(error, InternalError) and error.__cause__ is not None:
            self._services.log.error(
                "answer_failed", request_id=self._exchange.record.request_id, exc_info=error.__cause__
            )
        if isinstance(error, OperatorError):
            error = unforeseen(error)
        record = self._exchange.record
        record.error = error.code
        if self._begun:
            encoder = self._encoder
            self._writer.finish(
                encoder.fail(error) if encoder else self._operation.errors.body(error, record.request_id)
            )
        else:
            form = self._operation.errors
            status = record.status = form.status(error)
            headers = [(name.encode(), value.encode()) for name, value in form.headers(error).items()]
            headers += self._exchange.response_headers
            self._writer.answer(status, _JSON, headers, form.body(error, record.request_id))
        self._close()

    def gone(self) -> None:
        """The client went away."""
        if self.over:
            return
        record = self._exchange.record
        record.error = Cancelled.code
        if not self._begun:
            record.status = Cancelled.status
        self._stop()
        self._close()

    def body_is_late(self) -> None:
        self.fail(RequestTimeout("The request's body did not arrive in time; send it again."))

    def hold(self) -> None:
        """The client reads slower than the model writes."""
        if self._flow is not None:
            self._flow.pause()

    def go_on(self) -> None:
        if self._flow is not None:
            self._flow.resume()

    def sweep(self, now: float) -> None:
        if now >= self._deadline:
            self._stop()
            self.fail(DeadlineExceeded("The answer took longer than gateway.request_timeout_s allows."))
        elif now - self._touched >= self._services.settings.keep_alive_interval_s:
            self._keep_alive(now)

    def _keep_alive(self, now: float) -> None:
        if self._exchange.route is None:
            return
        self._touched = now
        if self._make_encoder is None:
            self._write_begun(_JSON, [], b"\n")
            return
        encoder = self._encoder or self._encode()
        self._write(encoder, encoder.keep_alive)

    def _encode(self) -> Encoder:
        if self._make_encoder is None:
            raise InternalError("Events came for a call that asked for none.")
        self._encoder = self._make_encoder(self._exchange)
        return self._encoder

    def _write(self, encoder: Encoder, body: bytes) -> None:
        self._touched = self._loop.time()
        if self._begun:
            self._writer.write(body)
        else:
            self._write_begun(encoder.media_type, _STREAM_HEADERS, body)

    def _write_begun(self, media_type: str, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        if not self._begun:
            self._begun = True
            self._exchange.record.status = 200
            self._writer.begin(media_type, headers + self._exchange.response_headers)
        self._writer.write(body)

    def break_off(self, error: Exception) -> None:
        """Stop the work and answer with ``error``."""
        self._stop()
        self.fail(error if isinstance(error, SeekwayError) else unforeseen(error))

    def _stop(self) -> None:
        if self._flow is not None:
            self._flow.cancel()

    def _close(self) -> None:
        self.over = True
        self._services.sweep.discard(self)
        self._services.leave()
        self._exchange.ended()
        self._flow = None
        self._at_end()


class _Reply(Generic[T]):
    """The sink of a question whose answer is one body."""

    __slots__ = ("_call", "_encode")

    def __init__(self, call: ModelCall, encode: Callable[[T], bytes]) -> None:
        self._call = call
        self._encode = encode

    def answer(self, result: T) -> None:
        try:
            body = self._encode(result)
        except Exception as error:  # noqa: BLE001 - the request's edge: called from a connection's callback
            self._call.break_off(error)
            return
        self._call.answer(_JSON, body)

    def fail(self, error: SeekwayError) -> None:
        self._call.fail(error)
