"""The name service goes while the configuration stays: two backends that are known by name lose it, and their connections."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.chaos.fault_proxy import FaultProxy
from tests.chaos.load import Load
from tests.chaos.scenario import Scenario
from tests.chaos.scenarios.policies import CONTINUE
from tests.chaos.served import Served
from tests.chaos.stage import WORKERS, Skipped, Stage

_HERE = "127.0.0.1 localhost\n"
_NOBODY = "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n"
"""A name server that is not there."""
_OWN_FILES = 'mount --bind "$0" /etc/hosts && mount --bind "$1" /etc/resolv.conf && shift && exec "$@"'
_TURNS = 60


class _Named:
    """A backend as the configuration names it; what it takes is counted by the proxy before it."""

    taken: tuple[int, ...] = ()

    def __init__(self, proxy: FaultProxy) -> None:
        self.name = proxy.name
        self.host = f"{proxy.name}.chaos.internal"
        self.url = proxy.url.replace("127.0.0.1", self.host)


async def _namespace(hosts: Path, servers: Path) -> tuple[str, ...]:
    """What goes before a command that is to see these files in place of the machine's."""
    prefix = ("unshare", "--mount", "sh", "-c", _OWN_FILES, str(hosts), str(servers))
    try:
        process = await asyncio.create_subprocess_exec(*prefix, "true", stderr=asyncio.subprocess.DEVNULL)
    except FileNotFoundError:
        raise Skipped("unshare is not installed") from None
    if await process.wait():
        raise Skipped("no mount namespace may be made here; play it as root")
    return prefix


async def _until_said(served: Served, load: Load, proxy: FaultProxy, event: str, times: int) -> None:
    """Break the connections, so that new ones must be made, until every gateway process has said ``event``."""
    for _ in range(_TURNS):
        if sum(event in line for line in served.lines) >= times:
            return
        proxy.refuse()
        await load.answered(20)
        await proxy.accept()
        await load.reaches(proxy)
        await load.answered(20)
    await served.says(event, times=times)


async def _play(stage: Stage) -> None:
    hosts, servers = stage.folder / "hosts", stage.folder / "resolv.conf"
    a, b = await stage.proxied("a"), await stage.proxied("b")
    named = _Named(a), _Named(b)
    known = _HERE + "".join(f"127.0.0.1 {backend.host}\n" for backend in named)
    hosts.write_text(known, "utf-8")
    servers.write_text(_NOBODY, "utf-8")
    prefix = await _namespace(hosts, servers)
    stage.write(*named, more=CONTINUE)
    served = await stage.gateway(prefix)
    async with stage.under_load(served) as load:
        await load.answered(stage.some(150))
        hosts.write_text(_HERE, "utf-8")
        await _until_said(served, load, a, "backend_name_not_resolved", WORKERS)
        await load.answered(stage.some(300))
        hosts.write_text(known, "utf-8")
        # The next question is asked ten seconds after the last.
        await _until_said(served, load, a, "backend_name_resolved", WORKERS)
        await load.answered(stage.some(100))
    away = sum("backend_name_not_resolved" in line for line in served.lines)
    stage.note(f"said {away} times that a name was not resolved")
    stage.expect(away <= WORKERS * len(named), f"it was said {away} times, once for each name and process is enough")


DNS_GONE = Scenario("dns-gone", _play)
