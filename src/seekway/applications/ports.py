"""What applications ask of those around them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Protocol

from seekway.core.caller import Caller
from seekway.core.types import Event, GenerateRequest
from seekway.knowledge.retrieval.retriever import Citation, Retrieval


class Models(Protocol):
    """The gateway's own pipeline: limits, guardrails, cache, routing and the access log hold for whoever asks."""

    def generate(self, request: GenerateRequest, caller: Caller, /) -> AsyncGenerator[Event, None]:
        """As :meth:`seekway.core.ports.Backend.generate`; an empty ``request.model`` is the default model. Closing the iterator stops the work."""
        ...

    def context_length(self, model: str, /) -> int:
        """Tokens that the model reads; 0 where it is not known."""
        ...

    def price(self, model: str, /) -> Price:
        """What the model costs now."""
        ...


class Price(Protocol):
    """Decimal strings per million tokens."""

    @property
    def prompt(self) -> str: ...

    @property
    def completion(self) -> str: ...

    @property
    def currency(self) -> str: ...


class Passages(Protocol):
    """The knowledge base, as far as answers need it."""

    async def retrieve(
        self, tenant: str, datasets: Sequence[str], query: str, how: Retrieval, /
    ) -> tuple[Citation, ...]: ...

    async def has_vectors(self, tenant: str, datasets: Sequence[str], /) -> bool:
        """Whether all of them can be searched by meaning. Raises ``NotFound``."""
        ...


class Vectoriser(Protocol):
    """For annotation replies."""

    async def embed_question(self, text: str, model: str, /) -> bytes:
        """A unit vector, little-endian float32; ``model`` empty is the knowledge base's."""
        ...
