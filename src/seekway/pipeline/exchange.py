"""What travels beside a request through the stages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING
from urllib.parse import quote

from seekway.core.errors import InternalError
from seekway.core.types import Capability, Event
from seekway.observability.record import RequestRecord
from seekway.pipeline.caller import ANONYMOUS, Caller
from seekway.pipeline.directory import Route

if TYPE_CHECKING:
    from seekway.pipeline.guardrails.review.notes import ReviewNotes
    from seekway.pipeline.routing.endpoint import Endpoint
    from seekway.pipeline.routing.selection import Selection


class Headers:
    """A request's headers as they came; names are lower-case bytes, values are read as Latin-1.

    The requests of a connection whose heads are equal share one. ``key_digest`` is what the API key in them was found to have,
    None while nobody has looked.
    """

    __slots__ = ("_first", "key_digest")

    def __init__(self, raw: Sequence[tuple[bytes, bytes]] = ()) -> None:
        # Backwards, so that of equal names the first one stays.
        self._first = dict(reversed(raw))
        self.key_digest: bytes | None = None

    def get(self, name: bytes) -> str | None:
        """The first value of ``name``, which is given in lower case."""
        value = self._first.get(name)
        return None if value is None else value.decode("latin-1")


NO_HEADERS = Headers()
_FALLBACK = b"x-seekway-fallback"
_PLAIN = " !#$&'()*+,/:;=?@[]"
"""What an operator's name for a rule may hold and a header can carry."""


class Exchange:
    """One request on its way. ``selection`` and ``route`` are set by the stage that resolves the model's name: where it may go, and where it goes.

    ``capability`` is what is asked of the model where it is not to generate.

    ``trial`` marks a text run through the stages for show: nothing of it is counted.
    ``deadline`` is on the event loop's clock.
    ``answer`` is set by a request stage that answers by itself; its events go through the stream stages like a backend's.
    ``review`` is what the guardrails know of it; None where no policy looks at it.
    ``language`` is that of the last user message where a stage has looked, a code of ISO 639 or BCP 47, empty where it cannot be told.
    ``prompt_marker`` is the word that a stage has put into the system prompt, so that it is known when it leaks; empty where none is.
    ``response_headers`` are added to the answer's head, names in lower case.
    """

    # Defaults of the class: one is made for every request, and most of these stay as they are.
    selection: Selection[Endpoint] | None = None
    capability: Capability | None = None
    answer: Sequence[Event] | None = None
    review: ReviewNotes | None = None
    language: str | None = None
    prompt_marker: str = ""
    behind: Callable[[], Selection[Endpoint] | None] | None = None
    """Where a request goes after all whose canary fails; set where it may."""

    def __init__(
        self,
        record: RequestRecord,
        caller: Caller = ANONYMOUS,
        headers: Headers = NO_HEADERS,
        *,
        route: Route | None = None,
        trial: bool = False,
        deadline: float | None = None,
    ) -> None:
        self.record = record
        self.caller = caller
        self.headers = headers
        self.route = route
        self.trial = trial
        self.deadline = deadline
        self.response_headers: list[tuple[bytes, bytes]] = []
        self._at_end: list[Callable[[], None]] = []

    @property
    def resolved(self) -> Route:
        if self.route is None:
            raise InternalError("A pipeline stage ran before the model's name was resolved; put resolve_alias first.")
        return self.route

    @property
    def selected(self) -> Selection[Endpoint]:
        if self.selection is None:
            raise InternalError("A pipeline stage ran before the model's name was resolved; put resolve_alias first.")
        return self.selection

    def take(self, route: Route) -> None:
        """Go by ``route`` and let the record say so."""
        self.route = route
        self.record.model = route.model.id
        self.record.backend = route.member.name

    def fell_back(self, rule: str) -> None:
        """The request leaves the way of ``rule``, a canary that failed; the record and the answer's head say so."""
        self.behind = None
        self.record.fallback = rule
        self.response_headers.append((_FALLBACK, quote(rule, safe=_PLAIN).encode()))

    def on_end(self, call: Callable[[], None]) -> None:
        """Have ``call`` run once when the exchange is over, however it ended; ``record`` then says how. It must not raise."""
        self._at_end.append(call)

    def ended(self) -> None:
        """Run what was given to :meth:`on_end`, last first; what ran is forgotten, so that a second call does nothing."""
        while self._at_end:
            self._at_end.pop()()
