"""The gRPC server: the contract over what a desk brings, with health and reflection."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from structlog.typing import FilteringBoundLogger

from seekway.core.errors import StartupError
from seekway.core.types import ModelInfo
from seekway.model_service.calls import Calls
from seekway.model_service.desk import Desk
from seekway.model_service.health import Health
from seekway.model_service.rpc import add_health, add_reflection, add_service, make_server

if TYPE_CHECKING:
    from grpc.aio import Server


@dataclass(frozen=True, slots=True)
class Place:
    """Where a server listens. ``setting`` names the port in the settings.

    ``shared``: several processes listen on the port, which their supervisor has reserved.
    """

    host: str
    port: int
    setting: str = "model_service.port"
    shared: bool = False


class ModelServer:
    """Serves what ``desk`` brings in one place; ``models`` is asked for its health. What stands behind them is the caller's to close, after :meth:`stop`.

    A message larger than ``max_message_bytes`` is refused; what is sent has no bound, its readers have their own.
    """

    def __init__(
        self,
        desk: Desk,
        models: Callable[[], Awaitable[tuple[ModelInfo, ...]]],
        place: Place,
        *,
        max_message_bytes: int,
        log: FilteringBoundLogger,
    ) -> None:
        self._calls = Calls(desk, log)
        self._place = place
        self._max_message_bytes = max_message_bytes
        self._health = Health(models)
        self._server: Server | None = None

    async def start(self) -> str:
        """:meth:`bind` and :meth:`serve`."""
        address = self.bind()
        await self.serve()
        return address

    def bind(self) -> str:
        """Bind exactly the address given and return it as ``host:port``; raises ``StartupError`` when it is taken. Who connects waits for :meth:`serve`."""
        place = self._place
        if not place.shared:
            _check_free(place)
        server = make_server(
            options=(
                ("grpc.max_receive_message_length", self._max_message_bytes),
                # Two servers that know nothing of each other would each get half of the calls.
                ("grpc.so_reuseport", int(place.shared)),
            )
        )
        add_service(server, self._calls.handlers())
        add_health(server, self._health.status, self._health.changes)
        add_reflection(server)
        host = f"[{place.host}]" if ":" in place.host else place.host
        try:
            port = server.add_insecure_port(f"{host}:{place.port}")
        except RuntimeError as error:
            raise _taken(place, str(error)) from error
        self._server = server
        return f"{host}:{port}"

    async def serve(self) -> None:
        """Answer from now on; after :meth:`bind`."""
        if self._server is not None:
            await self._server.start()

    async def stop(self, drain_s: float, hurry: asyncio.Event | None = None) -> None:
        """Take no new call, let running ones finish for ``drain_s`` or until ``hurry`` is set, cancel the rest."""
        self._health.drain()
        if self._server is None:
            return
        server, self._server = self._server, None
        loop = asyncio.get_running_loop()
        draining = loop.create_task(server.stop(drain_s))  # held here until it is done
        hurried = loop.create_task((hurry or asyncio.Event()).wait())
        try:
            await asyncio.wait((draining, hurried), return_when=asyncio.FIRST_COMPLETED)
            if not draining.done():
                await server.stop(0.0)
            await draining
        finally:
            hurried.cancel()


def _check_free(place: Place) -> None:
    """Say that a port is taken in our words, before gRPC's core prints its own to the terminal."""
    if place.port == 0:
        return
    try:
        found = socket.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
        family, kind, protocol, _, address = found[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise _taken(place, error.strerror or str(error)) from error


def _taken(place: Place, reason: str) -> StartupError:
    variable = place.setting.upper().replace(".", "__")
    return StartupError(
        f"gRPC cannot listen on {place.host}:{place.port} ({reason}); "
        f"stop what uses the port, or choose another with SEEKWAY_{variable}.",
        param=place.setting,
    )
