"""A served process for supervisor tests: ``python -m tests.fakes.served_process BEHAVIOUR … --status-fd N``.

``serve`` becomes ready and drains on SIGTERM; ``refuse`` fails its start; ``die`` exits before it is ready; ``crash-once FILE`` dies after it was ready, once.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

from seekway.app.status import Failed, Listening, Progress, Ready, StatusChannel


async def serve(channel: StatusChannel, port: str) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    channel.send(Progress("Loading", 0.5))
    channel.send(Listening(f"127.0.0.1:{port}"))
    channel.send(Ready())
    waits = [asyncio.ensure_future(stop.wait()), asyncio.ensure_future(channel.supervisor_gone())]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()


def main() -> None:
    behaviour, *rest = sys.argv[1:]
    channel = StatusChannel(int(rest[rest.index("--status-fd") + 1]))
    port = rest[rest.index("--port") + 1] if "--port" in rest else "0"
    if behaviour == "refuse":
        channel.send(Failed("startup_failed", "Port 1 is taken."))
        sys.exit(1)
    if behaviour == "die":
        sys.exit(3)
    if behaviour == "crash-once" and not (mark := Path(rest[0])).exists():
        mark.touch()
        channel.send(Listening("127.0.0.1:4711"))
        channel.send(Ready())
        sys.exit(9)
    asyncio.run(serve(channel, port))


if __name__ == "__main__":
    main()
