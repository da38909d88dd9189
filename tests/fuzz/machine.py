"""A whole gateway without sockets and without time: bytes go into a connection, bytes come out, the clock moves when told."""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import Collection
from typing import Any, cast

import uvicorn
from prometheus_client import CollectorRegistry
from uvicorn.server import ServerState

from seekway.core.sections.gateway import GatewaySettings
from seekway.core.sections.log import LogSettings
from seekway.core.settings import Settings
from seekway.core.types import GenerateRequest
from seekway.gateway.application import create_app
from seekway.gateway.authentication import Authenticator
from seekway.gateway.drain import Drain
from seekway.gateway.front import Front
from seekway.gateway.http_protocol import BoundedHttpProtocol
from seekway.gateway.model_call import CallServices
from seekway.gateway.operations.table import model_routes
from seekway.gateway.request_ledger import RequestLedger
from seekway.observability.access_log import AccessLog
from seekway.observability.logging import make_logger
from seekway.observability.metrics import Metrics
from seekway.pipeline.assembly import LastingParts, build_pipeline
from seekway.pipeline.directory import Member
from tests.fakes.backend import FakeBackend, Step, reply
from tests.integration.gateway.served import key_table

MOST_BODY = 2048
_MOST_TURNS = 5000


class ManualClockLoop(asyncio.SelectorEventLoop):
    """Its time stands still unless it is moved, so that nothing depends on how fast the machine is."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0

    def time(self) -> float:
        return self.now

    def settle(self) -> None:
        """Run until nothing is left to do at this moment; a loop that never comes to rest is an error."""
        self.run_until_complete(self._settle())

    def move(self, seconds: float) -> None:
        self.now += seconds
        self.settle()

    async def _settle(self) -> None:
        # Everything but this coroutine's own wake-up stands in the ready queue or waits for the clock.
        queue = cast("Collection[object]", getattr(self, "_ready"))  # noqa: B009 - asyncio's own, and no public way to ask
        quiet = 0
        for _ in range(_MOST_TURNS):
            await asyncio.sleep(0)
            quiet = 0 if queue else quiet + 1
            if quiet == 2:
                return
        raise AssertionError("The gateway keeps turning without an end.")


class Wire(asyncio.Transport):
    """The connection's other end: ``sent`` is what the gateway wrote while it was open, ``unread`` how much of it still waits here."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._loop = loop
        self._protocol: asyncio.BaseProtocol | None = None
        self.sent = bytearray()
        self.unread = 0
        self.closing = self.closed = self.aborted = False
        self.reading = True
        self.kept: list[bytes] = []

    def open(self, protocol: asyncio.Protocol) -> None:
        self._protocol = protocol
        protocol.connection_made(self)

    def receive(self, data: bytes) -> None:
        """Bytes of the client's; they wait while the gateway does not read."""
        self.kept.append(data)
        self._deliver()

    def lose(self) -> None:
        """The client is gone."""
        self.closing = True
        self._close()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self.closing:
            self.sent += data

    def close(self) -> None:
        """Closed at once only where everything is read."""
        self.closing = True
        if not self.unread:
            self._close()

    def abort(self) -> None:
        self.closing = self.aborted = True
        self._close()

    def is_closing(self) -> bool:
        return self.closing

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True
        self._loop.call_soon(self._deliver)

    def get_write_buffer_size(self) -> int:
        return self.unread

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("127.0.0.1", 1) if name in ("peername", "sockname") else default

    def _close(self) -> None:
        if not self.closed:
            self.closed = True
            self._loop.call_soon(self._lost)

    def _deliver(self) -> None:
        while self.kept and self.reading and not self.closing:
            cast("asyncio.Protocol", self._protocol).data_received(self.kept.pop(0))

    def _lost(self) -> None:
        cast("asyncio.Protocol", self._protocol).connection_lost(None)


class Machine:
    """One gateway whose fake model repeats what it was told; connections are opened with either protocol."""

    def __init__(self, keys: str | None = None) -> None:
        # What uvicorn says of bad requests is not what is looked at here.
        logging.getLogger("uvicorn").setLevel(logging.CRITICAL)
        self.loop = ManualClockLoop()
        self.backend = FakeBackend(_echo)
        settings = Settings(gateway=GatewaySettings(max_body_bytes=MOST_BODY, request_timeout_s=60))
        metrics, self.drain, self.log = Metrics(CollectorRegistry()), Drain(), io.StringIO()
        log_settings = LogSettings(level="error", format="json")
        logger, access_log = make_logger(log_settings, self.log), AccessLog(log_settings, io.StringIO())
        self.loop.run_until_complete(self._start())
        pipeline = build_pipeline(settings, [Member("own", self.backend)], LastingParts(settings, logger), self.loop)
        self.services = CallServices(settings.gateway, pipeline, Authenticator(key_table(keys)), self.drain, logger)
        self.front = Front(self.services, model_routes(), RequestLedger(self.drain, metrics, access_log), logger)
        self._config = uvicorn.Config(create_app(self.front, metrics=metrics), log_config=None, lifespan="off")
        self._config.load()
        self.loop.run_until_complete(pipeline.routes.refresh())

    def open(self, protocol: type[BoundedHttpProtocol]) -> Wire:
        wire = Wire(self.loop)
        state = ServerState()
        made = protocol(self._config, state, {"front": self.front}, _loop=self.loop)
        self.loop.run_until_complete(self._open(wire, made))
        self.loop.settle()
        return wire

    def send(self, wire: Wire, data: bytes) -> None:
        """Deliver and let the gateway do what it can at once."""
        self.loop.call_soon(wire.receive, data)
        self.loop.settle()

    def end(self, wire: Wire) -> None:
        """The client goes; afterwards nothing may be left of it."""
        self.loop.call_soon(wire.lose)
        self.loop.settle()
        left = (self.drain.in_flight, self.backend.running, self.services.calls, len(self.front.connections.members()))
        assert left == (0, 0, 0, 0), f"left in flight, at the model, as calls, as connections: {left}"
        assert not self.log.getvalue(), self.log.getvalue()

    def close(self) -> None:
        self.loop.close()

    async def _start(self) -> None:
        """Something to run the loop once with."""

    async def _open(self, wire: Wire, protocol: asyncio.Protocol) -> None:
        wire.open(protocol)


def _echo(request: GenerateRequest) -> tuple[Step, ...]:
    last = request.messages[-1].content if request.messages else request.prompt
    return reply("said: ", str(last))
