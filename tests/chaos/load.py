"""Requests through several keep-alive connections, streamed and not, without a break, each answer judged."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import msgspec

from tests.chaos.http_message import read_head, read_pieces
from tests.chaos.outcome import Kind, Outcome, judge_refusal, judge_stream, judge_whole
from tests.chaos.tale import MODEL, pieces, question

DEADLINE_S = 8.0
"""``gateway.request_timeout_s`` of every scenario."""
GRACE_S = 4.0
WAIT_S = 30.0
"""For what must happen in a scenario."""
_LENGTHS = (1, 4, 8, 16, 24, 40)


class Asked(Protocol):
    """Something that requests are sent to and that counts them."""

    @property
    def name(self) -> str: ...

    @property
    def url(self) -> str: ...

    @property
    def taken(self) -> Sequence[int]: ...


@dataclass(frozen=True)
class Question:
    """What a load asks: the numbered tale unless told."""

    model: str = MODEL
    text: str | None = None
    max_tokens: int | None = None
    deadline_s: float = DEADLINE_S

    def body(self, number: int, tokens: int, *, stream: bool) -> bytes:
        content = question(number, tokens) if self.text is None else f"{self.text} ({number})"
        body: dict[str, Any] = {
            "model": self.model,
            "messages": [{"role": "user", "content": content}],
            "stream": stream,
        }
        if self.max_tokens is not None:
            body["max_tokens"] = self.max_tokens
        return msgspec.json.encode(body)


def length_of(number: int) -> int:
    """The tokens that request ``number`` is answered with."""
    return _LENGTHS[number % len(_LENGTHS)]


class Load:
    """``connections`` callers, each with one request in flight; ``most`` bounds the whole."""

    def __init__(
        self, address: str, asked: Question | None = None, *, connections: int = 12, most: int = 20_000
    ) -> None:
        host, _, port = address.rpartition(":")
        self._host, self._port = host, int(port)
        self._asked = asked or Question()
        self._connections = connections
        self._numbers = itertools.islice(itertools.count(1), most)
        self._stopping = False
        self._changed = asyncio.Event()
        self.outcomes: list[Outcome] = []
        self.kinds: Counter[Kind] = Counter()
        self.streaming = 0
        """Streams of which a byte has come and the end has not."""

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(self._connections):
                group.create_task(self._call())

    def stop(self) -> None:
        """Finish what is in flight, and ask nothing more."""
        self._stopping = True

    async def answered(self, more: int) -> None:
        """Until ``more`` requests than now have ended."""
        goal = len(self.outcomes) + more
        await self.until(lambda: len(self.outcomes) >= goal, f"{more} more answers")

    async def succeeded(self, more: int) -> None:
        goal = self.kinds["success"] + more
        await self.until(lambda: self.kinds["success"] >= goal, f"{more} more successes")

    async def streams(self, count: int) -> None:
        """Until ``count`` streams are open at once."""
        await self.until(lambda: self.streaming >= count, f"{count} open streams")

    async def reaches(self, asked: Asked) -> None:
        """Until ``asked`` has got a request more than now."""
        before = len(asked.taken)
        await self.until(lambda: len(asked.taken) > before, f"a request at {asked.name}")

    async def until(self, holds: Callable[[], bool], what: str) -> None:
        """Until ``holds``, which is looked at whenever a byte or an answer has come; fails after :data:`WAIT_S`."""
        try:
            async with asyncio.timeout(WAIT_S):
                while not holds():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(f"Waited {WAIT_S:.0f} s for {what}; so far {dict(self.kinds)}.") from None

    async def _call(self) -> None:
        connection: Connection | None = None
        unsent = 0
        for number in self._numbers:
            if self._stopping:
                break
            outcome: Outcome
            try:
                if connection is None:
                    connection = await Connection.open(self._host, self._port)
            except OSError as error:
                outcome = Outcome(number, streamed=False, kind="unsent", detail=f"connect: {error.strerror}")
            else:
                outcome = await self._ask(connection, number)
                if connection.done_for or outcome.kind in ("cut", "unsent", "hung", "wrong"):
                    connection.close()
                    connection = None
            self.outcomes.append(outcome)
            self.kinds[outcome.kind] += 1
            self._changed.set()
            unsent = unsent + 1 if outcome.kind == "unsent" else 0
            if unsent == 3:
                # Nobody listens any more.
                break
        if connection is not None:
            connection.close()

    async def _ask(self, connection: Connection, number: int) -> Outcome:
        asked = self._asked
        streamed = number % 3 != 0
        tokens = length_of(number)
        watch = _Watch(self, connection, streamed=streamed)
        expected = "".join(pieces(number, tokens)) if asked.text is None else None
        outcome = Outcome(number, streamed, "hung", f"no end in {asked.deadline_s + GRACE_S:.0f} s")
        try:
            async with asyncio.timeout(asked.deadline_s + GRACE_S):
                outcome = await watch.exchange(number, asked.body(number, tokens, stream=streamed), expected)
        except TimeoutError:
            pass
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            outcome = replace(outcome, kind="cut" if watch.begun else "unsent", detail=type(error).__name__)
        finally:
            self.streaming -= watch.open
        return replace(outcome, silence_s=watch.silence())

    def note(self, opened: int) -> None:
        """Bytes have come."""
        self.streaming += opened
        self._changed.set()


class Connection:
    """One keep-alive connection to the gateway."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.done_for = False

    @classmethod
    async def open(cls, host: str, port: int) -> Connection:
        return cls(*await asyncio.open_connection(host, port))

    def close(self) -> None:
        self.writer.close()


class _Watch:
    """One exchange under observation."""

    def __init__(self, load: Load, connection: Connection, *, streamed: bool) -> None:
        self._load = load
        self._connection = connection
        self._streamed = streamed
        self._clock = asyncio.get_running_loop().time
        self._last = self._clock()
        self._silence = 0.0
        self.begun = False
        self.open = 0

    async def exchange(self, number: int, body: bytes, expected: str | None) -> Outcome:
        connection = self._connection
        head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: chaos\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.writer.write(head.encode() + body)
        answer = await read_head(connection.reader)
        self.begun = True
        received = bytearray()
        streamed = answer.fields.get(b"content-type", b"").startswith(b"text/event-stream")
        async for _, data in read_pieces(connection.reader, answer):
            self._heard(opened=int(streamed and not self.open and bool(data)))
            received += data
        connection.done_for = answer.fields.get(b"connection", b"").lower() == b"close"
        if answer.status != 200:
            verdict = judge_refusal(answer.status, bytes(received))
        elif streamed != self._streamed:
            verdict = ("wrong", "streamed and should not be, or the other way round")
        else:
            verdict = (judge_stream if streamed else judge_whole)(bytes(received), expected)
        return Outcome(number, self._streamed, *verdict, retry_after=b"retry-after" in answer.fields)

    def silence(self) -> float:
        return max(self._silence, self._clock() - self._last)

    def _heard(self, opened: int) -> None:
        now = self._clock()
        self._silence = max(self._silence, now - self._last)
        self._last = now
        self.open += opened
        self._load.note(opened)
