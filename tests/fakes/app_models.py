"""Scripted :class:`seekway.applications.ports.Models`, ``Passages`` and ``Vectoriser``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from seekway.core.caller import Caller
from seekway.core.errors import BackendUnavailable, NotFound, SeekwayError
from seekway.core.types import Event, GenerateRequest
from seekway.knowledge.passage import Passage
from seekway.knowledge.retrieval.retriever import Citation, Retrieval
from tests.fakes.backend import HANG, Step, reply


@dataclass(frozen=True)
class FakePrice:
    prompt: str = "2"
    completion: str = "8"
    currency: str = "CNY"


HELLO = reply("Hello", " there")


class FakeModels:
    """Plays ``script`` for each call; what is asked beside answers (its id holds a word of ``beside``) is answered by that word's script."""

    def __init__(
        self,
        script: Sequence[Step] | Callable[[GenerateRequest], Sequence[Step]] = HELLO,
        *,
        context: int = 0,
        **beside: Sequence[Step] | Callable[[GenerateRequest], Sequence[Step]],
    ) -> None:
        self.script = script
        self.beside = beside
        self.context = context
        self.requests: list[GenerateRequest] = []
        self.callers: list[Caller] = []
        self.closed = 0
        self.hanging = asyncio.Event()

    def asked(self, about: str = "") -> list[GenerateRequest]:
        """The calls of that kind; of answers where none is named."""
        kinds = ("-title", "-summary", "-follow-ups")
        return [
            one
            for one in self.requests
            if (f"-{about}" in one.id if about else not any(kind in one.id for kind in kinds))
        ]

    async def generate(self, request: GenerateRequest, caller: Caller, /) -> AsyncGenerator[Event, None]:
        self.requests.append(request)
        self.callers.append(caller)
        script = next(
            (s for name, s in self.beside.items() if f"-{name.replace('_', '-')}" in request.id),
            self.script if not any(kind in request.id for kind in ("-title", "-summary")) else reply("A title"),
        )
        try:
            for step in script(request) if callable(script) else script:
                if isinstance(step, SeekwayError):
                    raise step
                if isinstance(step, asyncio.Event):
                    await step.wait()
                elif step == HANG:
                    self.hanging.set()
                    await asyncio.Event().wait()
                elif not isinstance(step, str):
                    yield step
        finally:
            # What is asked beside the answers ends when it will.
            self.closed += script is self.script

    def context_length(self, model: str, /) -> int:
        return self.context

    def price(self, model: str, /) -> FakePrice:
        return FakePrice()


@dataclass
class FakePassages:
    """``found`` by dataset; an unknown one is ``NotFound``."""

    found: dict[str, list[Citation]] = field(default_factory=dict[str, list[Citation]])
    vectors: bool = True
    error: SeekwayError | None = None
    asked: list[tuple[str, tuple[str, ...], str, Retrieval]] = field(
        default_factory=list[tuple[str, tuple[str, ...], str, Retrieval]]
    )

    async def retrieve(
        self, tenant: str, datasets: Sequence[str], query: str, how: Retrieval, /
    ) -> tuple[Citation, ...]:
        self.asked.append((tenant, tuple(datasets), query, how))
        if self.error is not None:
            raise self.error
        for name in datasets:
            if name not in self.found:
                raise NotFound(f"There is no dataset {name!r}.")
        return tuple(one for name in datasets for one in self.found[name])

    async def has_vectors(self, tenant: str, datasets: Sequence[str], /) -> bool:
        for name in datasets:
            if name not in self.found:
                raise NotFound(f"There is no dataset {name!r}.")
        return self.vectors


def cited(text: str, *, position: int = 1, document: str = "Handbook.pdf") -> Citation:
    passage = Passage(position, text, 0, len(text))
    return Citation(position, 0.9, "d1", "Handbook", f"doc-{document}", document, {"lang": "en"}, passage, ())


class FakeVectoriser:
    """Texts that begin alike are near each other: a letter is a dimension."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.error: SeekwayError | None = None

    async def embed_question(self, text: str, model: str, /) -> bytes:
        self.asked.append(text)
        if self.error is not None:
            raise self.error
        vector = np.zeros(128, "<f4")
        for letter in text.lower():
            vector[ord(letter) % 128] += 1
        return (vector / np.linalg.norm(vector)).astype("<f4").tobytes()


AWAY = BackendUnavailable("Nobody is there.", retry_after_s=1)
