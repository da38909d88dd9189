"""How requests end that no backend could help, and the sink of those that have ended."""

from __future__ import annotations

from collections.abc import Sequence

from seekway.core.errors import DeadlineExceeded, Overloaded, SeekwayError
from seekway.core.types import Event

_COME_BACK_S = 1.0


class _Nowhere:
    def feed(self, events: Sequence[Event]) -> None: ...

    def end(self) -> None: ...

    def fail(self, error: SeekwayError) -> None: ...


NOWHERE = _Nowhere()


def full(model: str) -> SeekwayError:
    return Overloaded(
        f"All backends of the model {model} have as much to do as they can; try again shortly.",
        retry_after_s=_COME_BACK_S,
    )


def out_of_time() -> SeekwayError:
    return DeadlineExceeded(
        "The time for this request was over before its answer was; allow more time or ask for less."
    )
