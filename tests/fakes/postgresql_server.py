"""A real PostgreSQL on a free loopback port, in a folder of its own."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
from pathlib import Path

import pytest

_DEBIAN = Path("/usr/lib/postgresql")
_LIMIT_S = 60.0
# Nobody's data: no waiting for the disk.
_FAST = ("-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off")


def postgresql_programs() -> Path:
    """The folder of ``initdb`` and ``postgres``; skips the test where there is none."""
    debian = sorted(_DEBIAN.glob("*/bin/initdb")) if _DEBIAN.is_dir() else []
    found = debian[-1] if debian else shutil.which("initdb")
    if found is None:
        pytest.skip("PostgreSQL is not installed; make postgresql installs it where that is permitted")
    return Path(found).parent


class PostgresqlServer:
    """``folder`` must be one that the server's user may reach: PostgreSQL refuses to run as root."""

    def __init__(self, folder: Path) -> None:
        self._programs = postgresql_programs()
        self._folder = folder
        self._user = "postgres" if os.geteuid() == 0 else None
        self._child: asyncio.subprocess.Process | None = None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]

    @property
    def url(self) -> str:
        return f"postgresql://seekway@127.0.0.1:{self.port}/postgres"

    async def make(self) -> None:
        """An empty data folder."""
        if self._user is not None:
            shutil.chown(self._folder, self._user)
        child = await asyncio.create_subprocess_exec(
            *(str(self._programs / "initdb"), "-D", str(self._folder / "data"), "-U", "seekway"),
            *("--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            user=self._user,
            cwd=self._folder,
        )
        async with asyncio.timeout(_LIMIT_S):
            _, told = await child.communicate()
        assert child.returncode == 0, told.decode()

    async def start(self) -> None:
        self._child = await asyncio.create_subprocess_exec(
            *(str(self._programs / "postgres"), "-D", str(self._folder / "data"), "-p", str(self.port)),
            *("-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={self._folder}", *_FAST),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            user=self._user,
            cwd=self._folder,
        )
        assert self._child.stderr is not None
        async with asyncio.timeout(_LIMIT_S):
            while b"ready to accept connections" not in (line := await self._child.stderr.readline()):
                assert line, "postgres ended"

    async def kill(self) -> None:
        if self._child is not None and self._child.returncode is None:
            self._child.send_signal(signal.SIGQUIT)
            await self._child.communicate()
        self._child = None
