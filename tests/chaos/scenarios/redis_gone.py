"""The Redis that limits are counted in is stopped, killed and started again."""

from __future__ import annotations

import asyncio
import shutil
import signal
import socket

from tests.chaos.load import WAIT_S
from tests.chaos.scenario import Scenario
from tests.chaos.stage import Skipped, Stage


class _Redis:
    """A ``redis-server`` on one port."""

    def __init__(self, program: str) -> None:
        self._program = program
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Until it accepts connections."""
        options = ("--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no")
        process = self._process = await asyncio.create_subprocess_exec(
            self._program, *options, stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout
        async with asyncio.timeout(WAIT_S):
            while b"Ready to accept" not in (line := await process.stdout.readline()):
                assert line, "redis-server ended"

    async def commands(self) -> int:
        """How many it has been asked, by whomever."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(b"INFO stats\r\n")
        async with asyncio.timeout(WAIT_S):
            while not (line := await reader.readline()).startswith(b"total_commands_processed:"):
                assert line, "redis-server ended"
        writer.close()
        return int(line.partition(b":")[2])

    def signal(self, sig: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(sig)

    async def kill(self) -> None:
        self.signal(signal.SIGKILL)
        if self._process is not None:
            await self._process.wait()


async def _play(stage: Stage) -> None:
    program = shutil.which("redis-server")
    if program is None:
        raise Skipped("redis-server is not installed")
    redis = _Redis(program)
    await redis.start()
    stage.stack.push_async_callback(redis.kill)
    a, b = await stage.backend("a"), await stage.backend("b")
    limits = (
        f'[quota]\nredis_url = "redis://127.0.0.1:{redis.port}/0"\n\n'
        '[[limits]]\nname = "all"\nper = []\nrequests_per_minute = 1000000\nconcurrent = 1000\n'
    )
    stage.write(a, b, more=limits)
    served = await stage.gateway()
    async with stage.under_load(served) as load:
        await load.answered(stage.some(150))
        stage.expect(await redis.commands() >= stage.some(150), "the gateway did not ask Redis")
        redis.signal(signal.SIGSTOP)
        await load.answered(stage.some(200))
        redis.signal(signal.SIGCONT)
        await load.answered(stage.some(100))
        await redis.kill()
        await load.answered(stage.some(200))
        await redis.start()
        await load.answered(stage.some(300))
        asked = await redis.commands()
        stage.note(f"Redis was asked {asked} times after it had come back")
        stage.expect(asked >= 100, "the gateway did not come back to Redis")


REDIS_GONE = Scenario("redis-gone", _play)
