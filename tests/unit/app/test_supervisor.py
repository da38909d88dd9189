"""Served processes are started, restarted on their port, told to drain, and never left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import structlog

from seekway.app.status import Listening, Progress, Ready, StatusChannel, read_statuses
from seekway.app.supervisor import Child
from seekway.core.errors import StartupError

FAKE = [sys.executable, "-m", "tests.fakes.served_process"]


def child(*arguments: str, on_step: Callable[[Progress], None] = lambda _: None) -> Child:
    def command(address: str | None) -> Sequence[str]:
        return [*FAKE, *arguments, "--port", address.rpartition(":")[2] if address else "0"]

    def on_progress(_: str, progress: Progress) -> None:
        on_step(progress)

    return Child("test process", command, on_progress, structlog.get_logger())


async def test_a_child_reports_progress_its_address_and_ready_and_stops_when_told() -> None:
    steps: list[Progress] = []
    served = child("serve", on_step=steps.append)
    async with asyncio.TaskGroup() as group:
        group.create_task(served.run())
        assert await served.listening() == "127.0.0.1:0"
        await served.ready()
        await served.stop(5)
    assert steps == [Progress("Loading", 0.5)]


async def test_a_refused_start_says_why_and_is_not_repeated() -> None:
    served = child("refuse")
    await served.run()
    with pytest.raises(StartupError, match="Port 1 is taken"):
        await served.ready()
    assert served.restarts == 0


async def test_a_death_before_ready_is_a_startup_error() -> None:
    served = child("die")
    await served.run()
    with pytest.raises(StartupError, match="status 3"):
        await served.listening()


async def test_a_death_after_ready_is_restarted_on_the_same_port(tmp_path: Path) -> None:
    second_life = asyncio.Event()
    served = child("crash-once", str(tmp_path / "mark"), on_step=lambda _: second_life.set())
    async with asyncio.TaskGroup() as group:
        group.create_task(served.run())
        await served.ready()
        await asyncio.wait_for(second_life.wait(), 30)
        await served.stop(5)
    assert served.restarts == 1
    assert served.address == "127.0.0.1:4711"


async def test_a_process_ends_when_its_supervisor_dies() -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        process = await asyncio.create_subprocess_exec(
            *FAKE, "serve", "--status-fd", str(theirs.fileno()), pass_fds=(theirs.fileno(),)
        )
    reader, writer = await asyncio.open_connection(sock=ours)
    statuses = read_statuses(reader)
    assert [await anext(statuses) for _ in range(3)] == [Progress("Loading", 0.5), Listening("127.0.0.1:0"), Ready()]
    writer.close()
    assert await asyncio.wait_for(process.wait(), 30) == 0


async def test_a_process_that_ignores_its_drain_is_killed_and_reaped() -> None:
    served = child("serve")
    async with asyncio.TaskGroup() as group:
        group.create_task(served.run())
        await served.ready()
        assert served.pid is not None
        os.kill(served.pid, signal.SIGSTOP)
        served.kill()
    with pytest.raises(ProcessLookupError):
        os.kill(served.pid, 0)


async def test_a_channel_without_a_supervisor_says_nothing_and_never_ends() -> None:
    channel = StatusChannel(None)
    channel.send(Ready())
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(channel.supervisor_gone(), 0.01)
