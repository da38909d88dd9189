"""Any bytes, in any pieces, on a connection: the fast path and the framework's must read them alike.

``\\xfe`` cuts the input into pieces, an empty piece lets a minute pass, ``\\xfd`` and a byte stand for a piece of HTTP that is hard to hit upon.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from seekway.gateway.fast_path import FastHttpProtocol
from seekway.gateway.http_protocol import BoundedHttpProtocol
from tests.fuzz.http_answers import Answer, Asked, read_answers, read_requests
from tests.fuzz.machine import Machine

MOST_BYTES = 16_384
_TOKEN = re.compile(rb"\xfd(.)", re.DOTALL)
_BODY = b'{"model":"fake","messages":[{"role":"user","content":"one"}]}'
_STREAM = b'{"model":"fake","stream":true,"messages":[{"role":"user","content":"two"}]}'
_KEY = b"authorization: Bearer sesame\r\n"
TOKENS = (
    b"POST /v1/chat/completions HTTP/1.1\r\n",
    b"POST /v1/embeddings HTTP/1.1\r\n",
    b"GET /health/live HTTP/1.1\r\n",
    b"host: a\r\n",
    b"\r\n",
    b"content-length: %d\r\n" % len(_BODY),
    b"content-length: %d\r\n" % len(_STREAM),
    _BODY,
    _STREAM,
    b"transfer-encoding: chunked\r\n",
    b"connection: close\r\n",
    b"content-length: 0\r\n",
    b"0\r\n\r\n",
    b"%x\r\n%b\r\n" % (len(_BODY), _BODY),
    _KEY,
    b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\n%bcontent-length: %d\r\n\r\n%b" % (_KEY, len(_BODY), _BODY),
    b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n\r\n%b" % (len(_STREAM), _STREAM),
    b"GET /health/live HTTP/1.1\r\nhost: a\r\n\r\n",
    b"POST /v1/messages HTTP/1.1\r\n",
    b"expect: 100-continue\r\n",
    b"content-length: 4096\r\n",
    b"transfer-encoding: identity\r\n",
    b"connection: upgrade\r\nupgrade: h2c\r\n",
    b"connection: keep-alive\r\n",
    b" folded\r\n",
    b"5;ext=1\r\nhello\r\n",
    b"0\r\nx-after: 3\r\nauthorization: Bearer sesame\r\n\r\n",
    b"POST /v1/chat/completions HTTP/1.0\r\n",
    b"\n",
    b"\r",
    b"HEAD /health HTTP/1.1\r\nhost: a\r\n\r\n",
    b"OPTIONS /v1/models HTTP/1.1\r\nhost: a\r\n\r\n",
)


class _Seen(NamedTuple):
    answers: list[Answer]
    closed: bool
    asked: list[str]


_machines: dict[bool, Machine] = {}


def _machine(*, keyed: bool) -> Machine:
    if keyed not in _machines:
        _machines[keyed] = Machine("sesame" if keyed else None)
    return _machines[keyed]


def close() -> None:
    """Let go of what the attacks share."""
    while _machines:
        _machines.popitem()[1].close()


def pieces_of(data: bytes) -> list[bytes]:
    """What is sent, piece by piece; an empty piece is a pause."""
    cut = data[:MOST_BYTES].split(b"\xfe")
    return [_TOKEN.sub(lambda found: TOKENS[found[1][0] % len(TOKENS)], piece) for piece in cut]


def attack(data: bytes) -> None:
    """The first byte says whether a key is needed."""
    keyed = data[:1] == b"k"
    machine = _machine(keyed=keyed)
    pieces = pieces_of(data[1:])
    reading = read_requests(b"".join(pieces))
    fast, plain = (
        _play(machine, protocol, pieces, reading.requests) for protocol in (FastHttpProtocol, BoundedHttpProtocol)
    )
    told = f"\nfast:  {fast}\nplain: {plain}\nsent:  {pieces}"
    paused = b"" in pieces[1:-1]
    if reading.broken or reading.open or paused:
        # A broken end, or a late one, may cost the framework's path answers that it had not begun; never may it give others.
        shorter, longer = sorted((_good(fast.answers), _good(plain.answers)), key=len)
        assert longer[: len(shorter)] == shorter, f"The two paths answer differently.{told}"
    else:
        assert fast == plain, f"The two paths answer differently.{told}"
        assert len(fast.answers) == len(reading.requests), f"Requests and answers do not match.{told}"
    for seen in (fast, plain):
        assert len(seen.answers) <= len(reading.requests) + 1, f"More answers than requests.{told}"
        assert all(answer.status < 500 for answer in seen.answers), f"An answer says that the gateway failed.{told}"
        assert seen.closed or not reading.broken or reading.upgrade, (
            f"A connection stays open behind what is no HTTP.{told}"
        )
        if keyed:
            allowed = sum((b"authorization", b"Bearer sesame") in request.headers for request in reading.requests)
            assert len(seen.asked) <= allowed, f"A model was asked without a key.{told}"


def _good(answers: list[Answer]) -> list[Answer]:
    return answers[:-1] if answers and answers[-1].status in (400, 408) else answers


def _play(machine: Machine, protocol: type[BoundedHttpProtocol], pieces: list[bytes], requests: list[Asked]) -> _Seen:
    machine.backend.requests.clear()
    wire = machine.open(protocol)
    for at, piece in enumerate(pieces):
        if piece:
            machine.send(wire, piece)
        elif at:
            machine.loop.move(60)
    closed, answers = wire.closed, read_answers(bytes(wire.sent), requests)
    for _ in range(4):
        machine.loop.move(60)
    assert wire.closed, f"A connection on which nothing comes is kept for ever: {pieces}"
    machine.end(wire)
    return _Seen(answers, closed, [type(request).__name__ for request in machine.backend.requests])
