"""A client that reads slowly gets its whole answer; one that does not read is cut off."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from seekway.gateway.fast_path import FastHttpProtocol
from tests.fuzz.http_connection import pieces_of
from tests.fuzz.machine import Machine, Wire

ASK = b"".join(pieces_of(b"\xfd\x10"))
LAST = ASK.replace(b"host: a", b"host: a\r\nconnection: close")


@pytest.fixture
def machine() -> Iterator[Machine]:
    made = Machine()
    yield made
    made.close()


def slow(machine: Machine, ask: bytes) -> Wire:
    wire = machine.open(FastHttpProtocol)
    wire.unread = 1000
    machine.send(wire, ask)
    assert wire.sent
    return wire


def test_an_answer_that_is_still_read_keeps_its_connection(machine: Machine) -> None:
    wire = slow(machine, ASK)
    for unread in range(900, 0, -100):
        machine.loop.move(4)
        wire.unread = unread
        machine.loop.move(1)
        assert not wire.closed
    wire.unread = 0
    machine.loop.move(1)
    machine.loop.move(6)
    assert wire.closed
    machine.end(wire)


def test_an_answer_that_is_not_read_is_cut_off(machine: Machine) -> None:
    wire = slow(machine, ASK)
    for _ in range(4):
        machine.loop.move(3)
    assert wire.aborted
    machine.end(wire)


def test_so_is_one_whose_connection_is_to_close_behind_it(machine: Machine) -> None:
    wire = slow(machine, LAST)
    assert wire.closing
    assert not wire.closed
    for _ in range(4):
        machine.loop.move(3)
    assert wire.aborted
    machine.end(wire)
