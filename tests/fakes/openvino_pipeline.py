"""A pipeline in memory: counts up from the prompt's last token, one token a step, as fast as it is let."""

from __future__ import annotations

import threading
from collections.abc import Callable

from seekway.core.errors import InvalidParameter
from seekway.engine.base import Constraint, SampledToken, TokenRequest
from seekway.engine.openvino.pipeline import Sequence, SequenceOutput


class FakeSequence:
    def __init__(self, request: TokenRequest) -> None:
        self.request = request
        self.cancelled = False
        self.starved = False
        self._made = 0
        self._unread: list[int] = []
        self._finish: SequenceOutput | None = None

    def advance(self) -> bool:
        """Make a token; True when that was the last."""
        self._made += 1
        token = self.request.prompt[-1] + self._made
        self._unread.append(token)
        output = SequenceOutput([], [])
        if self.starved:
            output.finish = "starved"
        elif token in self.request.stop_token_ids:
            output.finish = "stop"
        elif self._made == self.request.max_tokens:
            output.finish = "length"
        self._finish = output
        return output.finish is not None

    def read(self) -> SequenceOutput:
        sampled, self._unread = self._unread, []
        finish = self._finish.finish if self._finish else None
        emitted = sampled[:-1] if finish == "stop" else sampled
        return SequenceOutput([SampledToken(id_) for id_ in emitted], sampled, finish)

    def cancel(self) -> None:
        self.cancelled = True


class FakePipeline:
    """``before_step`` runs on the stepping thread; hold ``gate`` closed to keep it from stepping."""

    def __init__(self, *, step_holds_lock: bool = False) -> None:
        self.step_holds_lock = step_holds_lock
        self.gate = threading.Event()
        self.gate.set()
        self.before_step: Callable[[], None] = lambda: None
        self.inside: list[FakeSequence] = []
        self.most_inside = 0
        self.steps = 0
        self.added = 0
        self.starve = False

    def add(self, number: int, request: TokenRequest) -> Sequence:
        self.added += 1
        sequence = FakeSequence(request)
        sequence.starved = self.starve
        self.inside.append(sequence)
        return sequence

    def step(self) -> None:
        self.gate.wait(10)
        self.before_step()
        self.steps += 1
        self.inside = [sequence for sequence in self.inside if not sequence.cancelled]
        self.most_inside = max(self.most_inside, len(self.inside))
        self.inside = [sequence for sequence in self.inside if not sequence.advance()]

    def has_work(self) -> bool:
        return bool(self.inside)

    def kv_cache_used(self) -> float:
        return 0.25

    def kv_cache_bytes(self) -> int:
        return 1024


class FakeTrial:
    """Refuses every regex that holds ``(``."""

    async def try_constraint(self, constraint: Constraint) -> None:
        if "(" in (constraint.regex or ""):
            raise InvalidParameter("The regex cannot be used: a parenthesis is not closed.", param="response_format")
