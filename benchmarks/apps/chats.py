"""Running the chatting users: what they ask, and what came of it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

import msgspec

from benchmarks.gateway.load import Latencies, LoadFailed
from seekway.knowledge.samples.bundled import sample_questions

USERS = 50
TURNS = 10


class Chatted(msgspec.Struct, frozen=True):
    """``cited`` answers named passages; ``events`` are those of all streams. Latencies count from the time at which a question was due."""

    messages: int
    answered: int
    failed: int
    seconds: float
    events: int
    cited: int
    conversations: int
    first_failure: str
    latency_us: Latencies
    first_token_us: Latencies

    @property
    def rate(self) -> float:
        return self.answered / self.seconds if self.seconds else 0.0


class Users:
    """``program`` is the compiled client; each run has users of its own, so that none goes on in another's conversation."""

    def __init__(self, program: Path, folder: Path, key: str, *, fresh: bool = False) -> None:
        """``fresh``: no question twice, so that none is embedded already."""
        self._program = program
        self._key = key
        self._fresh = fresh
        self._asked = 0
        self._runs = 0
        self._questions = folder / "questions.txt"
        lines = [json.dumps(one.question, ensure_ascii=False)[1:-1] for one in sample_questions()]
        # Languages and kinds stand together in the set: taken in steps they come mixed.
        mixed = [line for first in range(17) for line in lines[first::17]]
        self._questions.write_text("\n".join(mixed) + "\n", "utf-8")

    def chat(
        self,
        port: int,
        *,
        users: int = USERS,
        turns: int = TURNS,
        messages: int | None = None,
        seconds: float | None = None,
        rate: float | None = None,
    ) -> Chatted:
        """Until ``messages`` were asked or ``seconds`` are over; ``rate`` in questions a second. Raises ``LoadFailed``."""
        self._runs += 1
        given = {
            "port": port,
            "key": self._key,
            "questions": self._questions,
            "users": users,
            "turns": turns,
            "messages": messages,
            "seconds": seconds,
            "rate": rate,
            "run": f"run{self._runs}",
            "fresh": self._asked + 1 if self._fresh else None,
        }
        command: Sequence[str] = [
            str(self._program),
            *(text for name, value in given.items() if value is not None for text in (f"--{name}", str(value))),
        ]
        longest = (seconds or 0) + 60 * (messages or 0) + 120
        done = subprocess.run(command, capture_output=True, timeout=longest, check=False)
        if done.returncode != 0:
            raise LoadFailed(
                done.stderr.decode("utf-8", "replace").strip() or f"the client ended with {done.returncode}"
            )
        chatted = msgspec.json.decode(done.stdout, type=Chatted)
        self._asked += chatted.messages
        return chatted
