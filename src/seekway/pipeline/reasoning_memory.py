"""What models thought before they called tools, kept by tool call.

A call's key has the tenant, the call's id, its function and its arguments in it:
reasoning never comes to another tenant, nor to another call where a backend uses an id twice.
"""

from __future__ import annotations

import hashlib
import sys
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

import msgspec

from seekway.core.sections.reasoning import ReasoningSettings
from seekway.core.types import ToolCall
from seekway.pipeline.caller import Caller

_KEY_BYTES = 16
_ANSWER_OVERHEAD = 400
_CALL_OVERHEAD = 200
"""Bytes of the tables' own for each answer and each of its calls, generously."""

_sorted_json = msgspec.json.Encoder(order="sorted").encode


class ReasoningMemory(Protocol):
    """Keys are those of :func:`call_key`. What is kept may be lost at any time: it is a help, and nobody relies on it."""

    def keep(self, calls: Sequence[bytes], reasoning: str) -> None:
        """Keep ``reasoning`` for every one of ``calls``, an answer's; a call kept before is forgotten. Never raises, never waits."""
        ...

    def recall(self, calls: Sequence[bytes]) -> Mapping[bytes, str] | Awaitable[Mapping[bytes, str]]:
        """What is known of ``calls``; never raises."""
        ...


def call_key(caller: Caller, call: ToolCall) -> bytes:
    """16 bytes that name ``call`` of ``caller``'s tenant; a key without a tenant is a tenant of its own, an open gateway is one tenant.

    Arguments count by their meaning, since clients that parse them write them anew.
    """
    owner = f"t{caller.tenant}" if caller.tenant else f"k{caller.key_id}"
    digest = hashlib.blake2b(digest_size=_KEY_BYTES)
    for part in (owner, call.id, call.name):
        raw = part.encode("utf-8", "surrogatepass")
        digest.update(b"%d:" % len(raw))
        digest.update(raw)
    digest.update(_meaning(call.arguments))
    return digest.digest()


def _meaning(arguments: str) -> bytes:
    try:
        return _sorted_json(msgspec.json.decode(arguments or "{}"))
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return arguments.encode("utf-8", "surrogatepass")


class _Answer:
    """``calls`` are its keys; ``size`` in bytes; ``used`` is when it was last, on the memory's clock."""

    __slots__ = ("calls", "reasoning", "size", "used")

    def __init__(self, calls: tuple[bytes, ...], reasoning: str, used: float) -> None:
        self.calls = calls
        self.reasoning = reasoning
        self.size = sys.getsizeof(reasoning) + _ANSWER_OVERHEAD + _CALL_OVERHEAD * len(calls)
        self.used = used


class LocalReasoningMemory:
    """This process's memory, bounded by count, bytes and time; the least recently used answer goes first.

    ``clock`` is in seconds and never goes back.
    """

    def __init__(self, settings: ReasoningSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._most_bytes = settings.max_mib * 1024 * 1024 if settings.restore else 0
        self._clock = clock
        # Use moves an answer to the end: the first is both the least recently used and the next to expire.
        self._answers: OrderedDict[_Answer, None] = OrderedDict()
        self._by_call: dict[bytes, _Answer] = {}
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._answers)

    @property
    def size_bytes(self) -> int:
        return self._bytes

    def bound(self, settings: ReasoningSettings) -> None:
        """Keep to other bounds from now on; what is over them is forgotten, all of it where nothing is to be restored."""
        self._settings = settings
        self._most_bytes = settings.max_mib * 1024 * 1024 if settings.restore else 0
        self.sweep()
        self._make_room(0, 0)

    def keep(self, calls: Sequence[bytes], reasoning: str) -> None:
        answer = _Answer(tuple(dict.fromkeys(calls)), reasoning, self._clock())
        for call in answer.calls:
            before = self._by_call.get(call)
            if before is not None:
                self._forget(before)
        self.sweep()
        if not answer.calls or answer.size > self._most_bytes:
            return
        self._make_room(1, answer.size)
        self._answers[answer] = None
        self._bytes += answer.size
        for call in answer.calls:
            self._by_call[call] = answer

    def recall(self, calls: Sequence[bytes]) -> Mapping[bytes, str]:
        self.sweep()
        now = self._clock()
        found: dict[bytes, str] = {}
        for call in calls:
            answer = self._by_call.get(call)
            if answer is not None:
                answer.used = now
                self._answers.move_to_end(answer)
                found[call] = answer.reasoning
        return found

    def sweep(self) -> None:
        """Forget what has expired; every use does it, and whoever wants an idle process to forget in time calls it now and then."""
        since = self._clock() - self._settings.ttl_s
        while self._answers:
            oldest = next(iter(self._answers))
            if oldest.used > since:
                return
            self._forget(oldest)

    def _make_room(self, answers: int, size: int) -> None:
        most = self._settings.max_answers - answers
        while self._answers and (len(self._answers) > most or self._bytes + size > self._most_bytes):
            self._forget(next(iter(self._answers)))

    def _forget(self, answer: _Answer) -> None:
        if answer not in self._answers:
            return
        del self._answers[answer]
        self._bytes -= answer.size
        for call in answer.calls:
            del self._by_call[call]
