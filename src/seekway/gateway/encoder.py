"""What a dialect brings: how an answer is written, and how an error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from seekway.core.errors import SeekwayError
from seekway.core.types import Event


class Encoder(Protocol):
    """A dialect's writer for one answer."""

    @property
    def media_type(self) -> str: ...

    @property
    def keep_alive(self) -> bytes:
        """What may stand anywhere between two writes and means nothing."""
        ...

    def feed(self, items: Sequence[Event], /) -> bytes:
        """What to write now; empty where the dialect answers all at once."""
        ...

    def end(self) -> bytes: ...

    def fail(self, error: SeekwayError, /) -> bytes:
        """The error as the rest of an answer that has begun."""
        ...


class ErrorForm(Protocol):
    """How a dialect says that a request failed, before an answer has begun. The body is JSON."""

    def status(self, error: SeekwayError, /) -> int:
        """The HTTP status, the error's own unless the dialect has another."""
        ...

    def body(self, error: SeekwayError, request_id: str, /) -> bytes: ...

    def headers(self, error: SeekwayError, /) -> Mapping[str, str]: ...
