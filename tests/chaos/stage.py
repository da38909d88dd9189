"""What a scenario plays on: backends, proxies, a gateway and a load, all ended when it is over."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from tests.chaos.backend import BackendProcess
from tests.chaos.fault_proxy import FaultProxy
from tests.chaos.load import DEADLINE_S, Asked, Load, Question
from tests.chaos.served import Served
from tests.chaos.tale import MODEL

SILENCE_S = 1.0
"""``idle_timeout_s`` of every backend: how long one may be silent before it counts as dead."""
WORKERS = 2


class Skipped(Exception):
    """The scenario cannot be played here; the message says why."""


class Stage:
    def __init__(self, folder: Path, stack: AsyncExitStack, *, short: bool) -> None:
        self.folder = folder
        self.short = short
        self.asked: list[Asked] = []
        self.load: Load | None = None
        self.load_s = 0.0
        self.notes: list[str] = []
        self.violations: list[str] = []
        self.stack = stack

    @property
    def config(self) -> Path:
        return self.folder / "seekway.toml"

    def some(self, count: int) -> int:
        """So many requests, or fewer in a short run."""
        return max(count // 4, 20) if self.short else count

    def note(self, text: str) -> None:
        """Something worth telling beside the verdict."""
        self.notes.append(text)

    def expect(self, holds: object, otherwise: str) -> None:
        """A promise of the scenario's own."""
        if not holds:
            self.violations.append(otherwise)

    async def backend(self, name: str, interval_ms: float = 3.0) -> BackendProcess:
        """One that the gateway talks to directly."""
        process = await self.stack.enter_async_context(BackendProcess(name, interval_ms))
        self.asked.append(process)
        return process

    async def proxied(self, name: str) -> FaultProxy:
        """One behind a fault proxy."""
        process = await self.stack.enter_async_context(BackendProcess(name))
        proxy = await self.stack.enter_async_context(FaultProxy(name, process.port))
        self.asked.append(proxy)
        return proxy

    def write(self, *backends: Asked, more: str = "", gateway: str = "", backend: str = "") -> None:
        """The configuration: ``more`` are further tables, ``gateway`` and ``backend`` further lines of those."""
        tables = [
            f'[[backends]]\nname = "{asked.name}"\nbase_url = "{asked.url}"\nmodels = ["{MODEL}"]\n'
            f"connect_timeout_s = 1.0\nidle_timeout_s = {SILENCE_S}\n{backend}\n"
            for asked in backends
        ]
        self.config.write_text(
            f"[model_service]\nenabled = false\n\n[gateway]\nport = 0\nworkers = {WORKERS}\n"
            f'request_timeout_s = {DEADLINE_S}\n{gateway}\n\n[log]\nformat = "json"\n\n{more}\n\n' + "\n".join(tables),
            "utf-8",
        )

    def reload(self, served: Served) -> None:
        """The file has changed: it is seen within two seconds; a short run does not wait for that."""
        if self.short:
            served.signal(signal.SIGHUP)

    def serving(self) -> Served:
        """The same, to be entered and left by the scenario, where something is looked at after its end."""
        return Served(self.folder, ["gateway"])

    async def gateway(self, prefix: Sequence[str] = (), log: Path | None = None) -> Served:
        """``seekway gateway`` with the configuration written before."""
        return await self.stack.enter_async_context(Served(self.folder, ["gateway"], prefix, log))

    async def up(self, toml: str) -> Served:
        """``seekway up`` with ``toml``, on free ports."""
        self.config.write_text(toml, "utf-8")
        return await self.stack.enter_async_context(Served(self.folder, ["up", "--port", "0", "--grpc-port", "0"]))

    @asynccontextmanager
    async def under_load(
        self, served: Served, asked: Question | None = None, connections: int = 12
    ) -> AsyncGenerator[Load]:
        """Load throughout the block; at its end, what is in flight is finished."""
        load = self.load = Load(served.address, asked, connections=connections)
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(load.run())
                try:
                    yield load
                finally:
                    load.stop()
        except ExceptionGroup as group_error:
            raise group_error.exceptions[0] from None
        finally:
            self.load_s += clock() - began
