"""Who lets a call in, answers it and hears how it ended: what the gRPC server asks of whoever serves behind it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from seekway.core.errors import SeekwayError
from seekway.core.ports import Backend
from seekway.model_service.analyze import Analyzer

Metadata = Sequence[tuple[str, str | bytes]]
TrailingMetadata = tuple[tuple[str, str], ...]
SecondsLeft = Callable[[], float | None]
"""How long the caller still waits, None for as long as it takes."""


class Visit(Protocol):
    """One call, from its arrival to :meth:`ended`."""

    @property
    def request_id(self) -> str:
        """For the log; empty where calls have none."""
        ...

    @property
    def backend(self) -> Backend: ...

    @property
    def analyzer(self) -> Analyzer: ...

    def admit(self) -> None:
        """Raises a ``SeekwayError`` to refuse the call."""
        ...

    def text(self) -> Visit:
        """One text of this call's ``AnalyzeStream``: admitted with it, ended by itself."""
        ...

    def trailing(self) -> TrailingMetadata:
        """What the call ends with beside its status."""
        ...

    def ended(self, error: SeekwayError | None) -> None:
        """Called once, whatever happened; ``error`` is what the caller hears, or would hear."""
        ...


class Desk(Protocol):
    def open(self, path: str, metadata: Metadata, left: SecondsLeft) -> Visit:
        """A call has come: ``path`` is ``/package.Service/Method``. Never raises."""
        ...


class OpenDesk:
    """Lets everybody in and counts nobody: the model service's, which is reached from its own machine alone."""

    def __init__(self, backend: Backend, analyzer: Analyzer) -> None:
        self._visit = _OpenVisit(backend, analyzer)

    def open(self, path: str, metadata: Metadata, left: SecondsLeft) -> Visit:
        return self._visit


class _OpenVisit:
    request_id = ""

    def __init__(self, backend: Backend, analyzer: Analyzer) -> None:
        self.backend = backend
        self.analyzer = analyzer

    def admit(self) -> None:
        """Nobody is refused."""

    def text(self) -> Visit:
        return self

    def trailing(self) -> TrailingMetadata:
        return ()

    def ended(self, error: SeekwayError | None) -> None:
        """Nobody keeps count."""
