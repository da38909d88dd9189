"""``seekway up``: model service and gateway as supervised processes of this one."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import tempfile
from collections.abc import Callable, Sequence

from structlog.typing import FilteringBoundLogger

from seekway.app.listening import address_of, reserve, reserve_grpc
from seekway.app.status import Progress
from seekway.app.supervisor import Child
from seekway.core.settings import Settings

CommandMaker = Callable[[str, Sequence[str]], Sequence[str]]
"""Given a seekway command and its arguments, the argument list that starts it."""


class Up:
    """The processes of one ``seekway up``. ``config`` are the arguments that make the children read the same settings, ``model_arguments`` those that name its models.

    ``model_service`` is the address of a model service that runs already; the settings' own is then not started.
    """

    def __init__(
        self,
        settings: Settings,
        command: CommandMaker,
        config: Sequence[str],
        model_arguments: Sequence[str],
        on_progress: Callable[[str, Progress], None],
        log: FilteringBoundLogger,
        model_service: str | None = None,
    ) -> None:
        self._settings = settings
        self._command = command
        self._config = config
        self._model_arguments = model_arguments
        self._log = log
        self._children: list[Child] = []
        self._gateways: list[Child] = []
        self._resources = contextlib.ExitStack()
        self._on_progress = on_progress
        self.gateway_address = ""
        self.grpc_address = ""
        self.model_service_address = model_service or ""

    async def run(self, on_ready: Callable[[Up], None], on_drain: Callable[[], None]) -> None:
        """Serve until SIGINT or SIGTERM, then drain: the gateway first, so that no request is accepted that nothing can answer.

        A second signal kills. Raises what a child said when its first start fails.
        """
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for sig in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(sig, self._on_signal, stop)
        loop.add_signal_handler(signal.SIGHUP, self._pass_on_reload)
        try:
            async with asyncio.TaskGroup() as group:
                try:
                    started = group.create_task(self._start(group))
                    stopped = group.create_task(stop.wait())
                    await asyncio.wait({started, stopped}, return_when=asyncio.FIRST_COMPLETED)
                    if started.done():
                        started.result()
                        on_ready(self)
                        await stopped
                    else:
                        started.cancel()
                    on_drain()
                finally:
                    stop.set()
                    await self._stop_all()
        except ExceptionGroup as group_error:
            raise group_error.exceptions[0] from None

    async def _stop_all(self) -> None:
        """The gateways together, before what they stand on."""
        drain_s = self._settings.gateway.drain_timeout_s
        await asyncio.gather(*(gateway.stop(drain_s) for gateway in self._gateways))
        for child in reversed(self._children):
            await child.stop(drain_s)
        self._resources.close()

    async def _start(self, group: asyncio.TaskGroup) -> None:
        """Both at once where the model service's port is known before it is bound: importing takes as long as loading."""
        service: Child | None = None
        address = self.model_service_address
        if self._settings.model_service.enabled and not address:
            host, port = self._settings.model_service.host, self._settings.model_service.port
            service = self._add(group, "model-server", self._model_arguments, port)
            known = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
            address = known if port else await service.listening()
        gateways = self._start_gateways(group, ["--model-service", address] if address else [])
        if service is not None:
            self.model_service_address = await service.listening()
            await service.ready()
        self.gateway_address = await gateways[0].listening()
        for gateway in gateways:
            await gateway.ready()

    def _start_gateways(self, group: asyncio.TaskGroup, arguments: Sequence[str]) -> list[Child]:
        """One, or several that share a port and a folder in which they find each other."""
        settings = self._settings.gateway
        if (grpc := reserve_grpc(settings)) is not None:
            self._resources.enter_context(grpc)
            self.grpc_address = address_of(grpc)
            arguments = [*arguments, "--grpc-reserved", str(grpc.getsockname()[1])]
        if settings.workers == 1:
            self._gateways = [self._add(group, "gateway", arguments, settings.port)]
            return self._gateways
        held = self._resources.enter_context(reserve(settings))
        folder = self._resources.enter_context(tempfile.TemporaryDirectory(prefix="seekway-"))
        port = int(held.getsockname()[1])
        for number in range(1, settings.workers + 1):
            shared = [*arguments, "--worker", str(number), "--peers", folder]
            self._gateways.append(self._add(group, "gateway", shared, port, f"gateway {number}"))
        return self._gateways

    def _add(
        self, group: asyncio.TaskGroup, command: str, arguments: Sequence[str], port: int, name: str | None = None
    ) -> Child:
        def argv(address: str | None) -> Sequence[str]:
            chosen = address.rpartition(":")[2] if address else str(port)
            return self._command(command, [*self._config, *arguments, "--port", chosen])

        child = Child(name or command, argv, self._on_progress, self._log)
        self._children.append(child)
        group.create_task(child.run())
        return child

    def _pass_on_reload(self) -> None:
        """SIGHUP is for those who read what can change while they serve."""
        for gateway in self._gateways:
            gateway.signal(signal.SIGHUP)

    def _on_signal(self, stop: asyncio.Event) -> None:
        if stop.is_set():
            for child in self._children:
                child.kill()
        stop.set()
