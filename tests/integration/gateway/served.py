"""A gateway on a free loopback port with a fake backend, and a client that sees every byte."""

from __future__ import annotations

import asyncio
import io
import socket
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import msgspec
import uvicorn
from prometheus_client import CollectorRegistry

from seekway.core.sections.cache import CacheSettings
from seekway.core.sections.gateway import GatewaySettings
from seekway.core.sections.guardrails import GuardrailSettings
from seekway.core.sections.log import LogSettings
from seekway.core.sections.processing import ProcessingSettings
from seekway.core.settings import Settings
from seekway.gateway.application import create_app
from seekway.gateway.authentication import Authenticator
from seekway.gateway.dialects.openai_errors import ErrorEnvelope
from seekway.gateway.drain import Drain
from seekway.gateway.fast_path import FastHttpProtocol
from seekway.gateway.front import Front
from seekway.gateway.http_protocol import BoundedHttpProtocol
from seekway.gateway.model_call import CallServices
from seekway.gateway.operations.table import model_routes
from seekway.gateway.request_ledger import RequestLedger
from seekway.observability.access_log import AccessLog
from seekway.observability.logging import make_logger
from seekway.observability.metrics import Metrics
from seekway.pipeline.assembly import build_pipeline
from seekway.pipeline.directory import Member
from seekway.pipeline.guardrails.guardrails import MakeDetector
from seekway.pipeline.lasting_parts import LastingParts
from seekway.security.keys import KeyTable
from tests.fakes.backend import FakeBackend

PROTOCOL: type[BoundedHttpProtocol] = FastHttpProtocol
"""What the gateways of a test serve with; the tests of the gateway run with either."""


CACHE = CacheSettings()
PROCESSING = ProcessingSettings()


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()


@dataclass
class Answer:
    """``body`` is unchunked; ``pieces`` are the chunks as they were written."""

    status: int
    headers: dict[str, str]
    body: bytes = b""
    pieces: list[bytes] = field(default_factory=list[bytes])

    def json(self) -> dict[str, object]:
        return msgspec.json.decode(self.body, type=dict[str, object])

    def error(self) -> tuple[str, str | None]:
        found = msgspec.json.decode(self.body, type=ErrorEnvelope).error
        assert found.message
        assert found.type
        return found.code, found.param


class Connection:
    """One TCP connection, kept alive over requests."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, method: str, path: str, body: bytes = b"", headers: Sequence[str] = ()) -> None:
        lines = [f"{method} {path} HTTP/1.1", "host: test", f"content-length: {len(body)}", *headers]
        self.writer.write("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)
        await self.writer.drain()

    async def head(self) -> Answer:
        raw = await self.reader.readuntil(b"\r\n\r\n")
        first, *lines = raw.decode("latin-1").strip().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines)
        return Answer(int(first.split()[1]), headers)

    async def piece(self) -> bytes:
        """The next chunk of a chunked body; empty at its end."""
        size = int(await self.reader.readuntil(b"\r\n"), 16)
        return (await self.reader.readexactly(size + 2))[:-2]

    async def answer(self) -> Answer:
        answer = await self.head()
        if answer.status == 204:
            return answer
        if "content-length" in answer.headers:
            answer.body = await self.reader.readexactly(int(answer.headers["content-length"]))
            return answer
        while piece := await self.piece():
            answer.pieces.append(piece)
        answer.body = b"".join(answer.pieces)
        return answer

    async def ask(self, method: str, path: str, body: bytes = b"", headers: Sequence[str] = ()) -> Answer:
        await self.send(method, path, body, headers)
        return await self.answer()


@dataclass
class Served:
    port: int
    backend: FakeBackend
    drain: Drain
    access_log: AccessLog
    parts: LastingParts
    out: io.StringIO
    front: Front
    settings: Settings

    def reload(self, settings: Settings) -> None:
        """Answer new requests by ``settings``, as a changed configuration does."""
        pipeline = build_pipeline(settings, [Member("own", self.backend)], self.parts, asyncio.get_running_loop())
        old = self.front.services
        self.front.swap(CallServices(settings.gateway, pipeline, old.authenticator, self.drain, old.log))

    def log(self) -> str:
        """All that was logged so far."""
        self.access_log.flush()
        return self.out.getvalue()

    @asynccontextmanager
    async def connect(self) -> AsyncGenerator[Connection]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            yield Connection(reader, writer)
        finally:
            writer.close()

    async def ask(self, method: str, path: str, body: bytes = b"", headers: Sequence[str] = ()) -> Answer:
        async with self.connect() as connection:
            return await connection.ask(method, path, body, headers)


@asynccontextmanager
async def serving(
    backend: FakeBackend | None = None,
    gateway: GatewaySettings | None = None,
    *,
    others: Sequence[Member] = (),
    keys: str | None = None,
    table: KeyTable | None = None,
    http: type[BoundedHttpProtocol] | None = None,
    most_s: float = 30,
    guardrails: GuardrailSettings | None = None,
    detectors: MakeDetector | None = None,
) -> AsyncGenerator[Served]:
    backend, http = backend or FakeBackend(), http or PROTOCOL
    settings = Settings(
        gateway=gateway or GatewaySettings(),
        aliases={"short": "fake"},
        cache=CACHE,
        # What they hold back and note has tests of its own; the others look at every byte.
        guardrails=guardrails or GuardrailSettings(enabled=False),
        processing=PROCESSING,
    )
    metrics, drain, log = Metrics(CollectorRegistry()), Drain(), io.StringIO()
    log_settings = LogSettings(level="debug", format="json")
    logger, access_log = make_logger(log_settings, log), AccessLog(log_settings, log)
    parts = LastingParts(settings, logger, make_detector=detectors)
    pipeline = build_pipeline(settings, [Member("own", backend), *others], parts, asyncio.get_running_loop())
    services = CallServices(settings.gateway, pipeline, Authenticator(table or key_table(keys)), drain, logger)
    front = Front(services, model_routes(), RequestLedger(drain, metrics, access_log), logger)
    app = create_app(front, metrics=metrics)
    server = _Server(uvicorn.Config(app, log_config=None, http=http, lifespan="on", timeout_graceful_shutdown=5))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with asyncio.timeout(most_s), asyncio.TaskGroup() as group:
            group.create_task(server.serve(sockets=[listener]))
            await server.listening.wait()
            try:
                yield Served(listener.getsockname()[1], backend, drain, access_log, parts, log, front, settings)
            finally:
                server.should_exit = True


def key_table(keys: str | KeyTable | None) -> KeyTable | None:
    """From the lines of a plain key file."""
    if keys is None or isinstance(keys, KeyTable):
        return keys
    table = KeyTable()
    table.add_plain(keys)
    return table
