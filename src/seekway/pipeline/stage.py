"""The two kinds of stage and what is counted of each."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from seekway.core.types import Event, GenerateRequest
from seekway.pipeline.exchange import Exchange


class RequestStage(Protocol):
    """Request in, request out; raises a ``SeekwayError`` to refuse.

    The plain answer is the rule; an awaitable is for a stage that must wait for somebody, and costs the request a task.
    A stage may set ``exchange.answer``: the stages after it and the backends are then left out.
    """

    @property
    def name(self) -> str: ...

    def __call__(
        self, request: GenerateRequest, exchange: Exchange, /
    ) -> GenerateRequest | Awaitable[GenerateRequest]: ...


class AnswerEnded(Exception):
    """Raised by a filter's ``feed`` or ``end``: ``events`` are the answer's last, ``Usage`` and ``Finish`` among them.

    They go on through the filters after it, which are then ended; those before it are not, as after a failure. The backend's work is cancelled.
    """

    def __init__(self, by: StreamFilter, events: Sequence[Event]) -> None:
        super().__init__()
        self.by = by
        self.events = events


class StreamFilter(Protocol):
    """One stream's way through one stage. Events come in batches, as they arrived; what is returned goes on at once.

    Raises a ``SeekwayError`` to end the answer with it, and :class:`AnswerEnded` to end it well before the backend does.
    """

    def feed(self, events: Sequence[Event], /) -> Sequence[Event]: ...

    def end(self) -> Sequence[Event]:
        """The stream has ended well: what was held back. Not called after a failure."""
        ...


@runtime_checkable
class NotingFilter(Protocol):
    """A filter that has something to note also of a stream that does not end well."""

    def leave(self) -> None:
        """The client has left, or the answer failed: nothing more comes. May be called more than once, and raises nothing."""
        ...


class StreamStage(Protocol):
    """Makes a filter for each admitted request; None where it has nothing to do with this one."""

    @property
    def name(self) -> str: ...

    def open(self, request: GenerateRequest, exchange: Exchange, /) -> StreamFilter | None: ...


@dataclass(slots=True)
class StageFigures:
    """``seconds`` is the stage's own time, waiting for the model not counted; ``changed`` counts requests it altered (request stages only)."""

    name: str
    kind: Literal["request", "stream"]
    calls: int = 0
    changed: int = 0
    refused: int = 0
    events: int = 0
    seconds: float = 0.0


class FigureBook:
    """The stages' figures by name: they go on counting when a pipeline is replaced by one of another configuration."""

    def __init__(self) -> None:
        self._figures: dict[str, StageFigures] = {}

    def of(self, name: str, kind: Literal["request", "stream"]) -> StageFigures:
        return self._figures.setdefault(name, StageFigures(name, kind))
