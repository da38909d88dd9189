"""A backend's addresses are known on while the name service is away, for so long and no longer."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence

import pytest
import structlog
from structlog.testing import LogCapture
from structlog.typing import FilteringBoundLogger

from seekway.engine.upstream import names
from seekway.engine.upstream.names import FRESH_S, KEPT_S, Address, Names


def address(last: int) -> Address:
    return socket.AF_INET, socket.SOCK_STREAM, 6, "", (f"10.0.0.{last}", 80)


class Service:
    """A name service that answers, refuses or is silent."""

    def __init__(self) -> None:
        self.asked = 0
        self.answer: Sequence[Address] | None = (address(1),)
        self.silent = False
        self.go_on = asyncio.Event()
        self.now = 0.0
        self.log = LogCapture()
        wrapped: FilteringBoundLogger = structlog.wrap_logger(
            None, processors=[self.log], wrapper_class=structlog.make_filtering_bound_logger(0)
        )
        self.names = Names("backend", 80, wrapped, self.look_up, lambda: self.now)

    async def look_up(self, host: str, port: int) -> Sequence[Address]:
        assert (host, port) == ("backend", 80)
        self.asked += 1
        if self.silent:
            await self.go_on.wait()
        if self.answer is None:
            raise socket.gaierror(socket.EAI_AGAIN, "try again")
        return self.answer

    def said(self) -> list[str]:
        return [entry["event"] for entry in self.log.entries]


async def test_a_burst_of_connections_is_one_question() -> None:
    service = Service()
    service.silent = True
    asking = [asyncio.ensure_future(service.names.addresses()) for _ in range(5)]
    await asyncio.sleep(0)
    service.go_on.set()
    assert await asyncio.gather(*asking) == [(address(1),)] * 5
    await service.names.addresses()
    assert service.asked == 1


async def test_old_addresses_are_asked_for_again() -> None:
    service = Service()
    await service.names.addresses()
    service.now, service.answer = FRESH_S, (address(2),)
    assert await service.names.addresses() == (address(2),)
    service.answer = (address(3),)
    assert await service.names.addresses() == (address(2),)
    service.names.doubt()
    assert await service.names.addresses() == (address(3),)


async def test_while_the_service_is_away_the_last_addresses_are_used_and_it_is_said_once() -> None:
    service = Service()
    await service.names.addresses()
    service.answer = None
    for turn in range(1, 4):
        service.now = turn * FRESH_S
        assert await service.names.addresses() == (address(1),)
        await asyncio.sleep(0)
    assert service.asked > 2
    assert service.said() == ["backend_name_not_resolved"]
    assert service.log.entries[0]["usable_s"] == round(KEPT_S - FRESH_S)
    service.answer = (address(2),)
    service.now += FRESH_S
    # Nobody waits for a service that is known to be away; its answer is found by the next who asks.
    assert await service.names.addresses() == (address(1),)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert await service.names.addresses() == (address(2),)
    assert service.said() == ["backend_name_not_resolved", "backend_name_resolved"]


async def test_a_silent_service_is_waited_for_once_and_asked_one_question(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "PATIENCE_S", 0.0)
    service = Service()
    await service.names.addresses()
    service.silent, service.now = True, FRESH_S
    for _ in range(3):
        assert await service.names.addresses() == (address(1),)
    assert service.asked == 2
    assert service.said() == ["backend_name_not_resolved"]
    await service.names.close()
    await service.names.close()


async def test_addresses_do_not_outlive_their_bound() -> None:
    service = Service()
    await service.names.addresses()
    service.answer, service.now = None, KEPT_S - 1
    assert await service.names.addresses() == (address(1),)
    service.now = KEPT_S + FRESH_S
    with pytest.raises(socket.gaierror):
        await service.names.addresses()


async def test_a_name_that_was_never_known_is_an_error_each_time() -> None:
    service = Service()
    service.answer = None
    for _ in range(2):
        with pytest.raises(socket.gaierror):
            await service.names.addresses()
    assert service.asked == 2
    assert not service.said()
