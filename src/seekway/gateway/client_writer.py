"""The client's side of an answer, as whoever makes the answer sees it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

RawHeaders = Sequence[tuple[bytes, bytes]]


class ClientWriter(Protocol):
    """Either :meth:`answer` once, or :meth:`begin`, any number of :meth:`write` and :meth:`finish`. None raises, also when the client is gone."""

    def answer(self, status: int, media_type: str, headers: RawHeaders, body: bytes, /) -> None:
        """All of it at once."""
        ...

    def begin(self, media_type: str, headers: RawHeaders, /) -> None:
        """The head of an answer whose length is not known; it may wait for the first bytes."""
        ...

    def write(self, body: bytes, /) -> None: ...

    def finish(self, body: bytes, /) -> None:
        """The last bytes, which may be none."""
        ...
