"""Which backend serves which model.

Every backend is asked by :meth:`BackendDirectory.watch` in the background and its answer kept, so that a request never waits for a slow backend
and one that is away does not take the others down.
"""

from __future__ import annotations

import asyncio
import time
from bisect import insort
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from seekway.core.errors import BackendUnavailable, InvalidRequest, ModelNotFound, SeekwayError
from seekway.core.ports import AskedBackend, Backend, PushBackend
from seekway.core.types import Capability, EngineStats, ModelInfo
from seekway.pipeline.asked import asked_port
from seekway.pipeline.pumped import push_port

BackendKind = Literal["local", "openai", "deepseek"]


@dataclass(frozen=True, slots=True)
class Member:
    """A backend under the name it has in logs and metrics; ``local`` is our own model service.

    ``source`` and ``asked`` are the backend's pushed sides, for generations and for questions, which the pipeline talks to.
    ``stands_in``: one of its models may become the default, which answers for DeepSeek's names.
    The rest is what is said of it in the settings (:mod:`seekway.core.sections.backends`).
    """

    name: str
    backend: Backend
    kind: BackendKind = "local"
    weight: float = 1.0
    tier: int = 0
    region: str = ""
    tags: tuple[str, ...] = ()
    cost: float = 1.0
    stands_in: bool = True
    source: PushBackend = field(init=False, repr=False, compare=False)
    asked: AskedBackend = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "asked", asked_port(self.backend))
        object.__setattr__(self, "source", push_port(self.backend))


@dataclass(frozen=True, slots=True)
class Route:
    """Where a request goes: the member, what it said of the model, and the name it knows the model by (``id`` or ``id@version``)."""

    member: Member
    model: ModelInfo
    name: str

    @property
    def can_think(self) -> bool:
        return "reasoning" in self.model.capabilities

    def require(self, capability: Capability) -> None:
        """Raises ``InvalidRequest`` when the model is not made for this kind of request."""
        if capability not in self.model.capabilities:
            able = ", ".join(self.model.capabilities) or "nothing"
            raise InvalidRequest(
                f"The model {self.model.id} cannot do {capability}; it can do: {able}. Ask for another model.",
                param="model",
            )


@dataclass(frozen=True, slots=True)
class Pace:
    """How often a member is asked, in seconds: every ``settled_s`` while all is well, every ``unsettled_s`` while it is away or loading.

    An answer younger than ``fresh_s`` is good enough for whoever asks in between; ``timeout_s`` is how long an answer may take.
    """

    settled_s: float
    unsettled_s: float
    fresh_s: float
    timeout_s: float


LOCAL_PACE = Pace(settled_s=5.0, unsettled_s=0.2, fresh_s=0.2, timeout_s=2.0)
REMOTE_PACE = Pace(settled_s=30.0, unsettled_s=2.0, fresh_s=15.0, timeout_s=5.0)
"""Another server's list changes seldom and each question is a request of its own, which its operator may count."""


@dataclass(frozen=True, slots=True)
class Serving:
    """Who serves one name now: ``routes`` are ready, at members that answer or, where none of those has it ready, at those that are away.

    ``best`` is the first of them; where there is none, the first that is loading or failed.
    """

    routes: tuple[Route, ...]
    best: Route


class _Known:
    """What one member last said of itself; its models stay known while it is away, so that asking for them says 503 and not 404."""

    def __init__(self, order: int, member: Member, pace: Pace) -> None:
        self.order = order
        self.member = member
        self.pace = pace
        self.models: tuple[ModelInfo, ...] = ()
        self.routes: Mapping[str, Route] = {}
        self.asked_at: float | None = None
        self.problem = "has not been asked yet"
        self.lock = asyncio.Lock()

    @property
    def away(self) -> bool:
        return bool(self.problem)

    @property
    def settled(self) -> bool:
        return not self.away and all(model.state == "ready" for model in self.models)

    def fresh(self, for_s: float) -> bool:
        return self.asked_at is not None and time.monotonic() - self.asked_at < for_s

    def __lt__(self, other: _Known) -> bool:
        return self.order < other.order


@dataclass(slots=True)
class _Index:
    """What requests ask for, worked out when the first asks after a change.

    A member's change forgets only the names it serves; ``servers`` are those who serve a name, in the members' order.
    """

    servers: dict[str, list[_Known]] = field(default_factory=dict[str, list[_Known]])
    serving: dict[str, Serving] = field(default_factory=dict[str, Serving])
    first: dict[tuple[Capability, BackendKind | None], str | None] = field(
        default_factory=dict[tuple[Capability, BackendKind | None], str | None]
    )
    served: tuple[tuple[str, ModelInfo], ...] | None = None


class BackendDirectory:
    """``members`` come first to last where two serve the same name.

    ``on_heard`` is told after every question which member was asked and whether it is away; it must not raise.
    """

    def __init__(
        self,
        members: Sequence[Member],
        *,
        local_pace: Pace = LOCAL_PACE,
        remote_pace: Pace = REMOTE_PACE,
        on_heard: Callable[[Member, bool], None] | None = None,
    ) -> None:
        self._on_heard = on_heard
        self._known = [
            _Known(order, member, local_pace if member.kind == "local" else remote_pace)
            for order, member in enumerate(members)
        ]
        self._index = _Index()

    @property
    def members(self) -> tuple[Member, ...]:
        return tuple(known.member for known in self._known)

    def adopt(self, old: BackendDirectory) -> None:
        """Begin with what ``old`` last heard of the members that are still the same, so that a new configuration knows the models at once."""
        heard = {known.member.name: known for known in old._known}
        for known in self._known:
            before = heard.get(known.member.name)
            if before is None or before.member.backend is not known.member.backend or before.asked_at is None:
                continue
            known.asked_at = before.asked_at
            if before.away:
                self._heard(known, before.models)
                self._lost(known, before.problem)
            else:
                self._heard(known, before.models)

    async def watch(self) -> None:
        """Ask every member at its pace, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for known in self._known:
                group.create_task(self._watch_one(known))

    async def refresh(self, most_s: float | None = None) -> None:
        """Ask the members whose answer is not fresh, all at once, waiting at most ``most_s``; a failure is kept, not raised."""
        await asyncio.gather(*(self._ask(known, known.pace.fresh_s, most_s) for known in self._known))

    async def route(self, name: str) -> Route:
        """The first member that serves ``name``.

        Raises ``ModelNotFound`` with the names there are, ``BackendUnavailable`` when the model is loading or failed or nobody has answered yet.
        """
        found = self.find(name)
        if found is None:
            # A name nobody knew may be new; being asked for unknown names must not become a flood at the backends.
            await asyncio.gather(*(self._ask(known, known.pace.unsettled_s) for known in self._known))
            found = self.find(name)
        elif found.model.state == "loading":
            # A model that has just become ready must not be refused for what was heard a moment ago.
            await asyncio.gather(*(self._ask(k, 0.0) for k in self._known if k.member.name == found.member.name))
            found = self.find(name)
        if found is None:
            raise self._not_found(name)
        if found.model.state == "loading":
            raise BackendUnavailable(
                f"The model {name} is still loading; try again shortly.", param="model", retry_after_s=2
            )
        if found.model.state == "failed":
            raise BackendUnavailable(f"The model {name} could not be loaded: {found.model.detail}", param="model")
        return found

    def find(self, name: str) -> Route | None:
        """As last heard, without waiting; a ready model goes before one that is not, and a member that answers before one that is away."""
        serving = self._index.serving.get(name) or self.serving(name)
        return None if serving is None else serving.best

    def serving(self, name: str) -> Serving | None:
        """Everybody who serves ``name`` (``id`` or ``id@version``), as last heard; the same object until something of it changes."""
        index = self._index
        if (serving := index.serving.get(name)) is not None:
            return serving
        servers = index.servers.get(name)
        if not servers:
            return None
        serving = index.serving[name] = _serving(name, servers)
        return serving

    def first(self, capability: Capability, kind: BackendKind | None = None) -> str | None:
        """The first model with ``capability`` (of a member of ``kind``) that may stand in for others, ready ones first; None when none is known."""
        key = capability, kind
        known = self._index.first
        if key not in known:
            able = [
                model
                for known_one in self._known
                if known_one.member.stands_in and kind in (None, known_one.member.kind)
                for model in known_one.models
                if capability in model.capabilities
            ]
            known[key] = min(able, key=lambda model: model.state != "ready").id if able else None
        return known[key]

    def served(self) -> tuple[tuple[str, ModelInfo], ...]:
        """Every model with its backend's name, as last heard; models of a member that is away are marked failed."""
        if self._index.served is None:
            self._index.served = tuple(
                (
                    known.member.name,
                    msgspec.structs.replace(model, state="failed", detail=known.problem) if known.away else model,
                )
                for known in self._known
                for model in known.models
            )
        return self._index.served

    def problems(self) -> dict[str, str]:
        """Members that are away, each with why."""
        return {known.member.name: known.problem for known in self._known if known.away}

    async def close(self) -> None:
        """Close every member's backend."""
        await asyncio.gather(*(known.member.backend.close() for known in self._known))

    async def _watch_one(self, known: _Known) -> None:
        while True:
            await self._ask(known, known.pace.unsettled_s / 2)
            await asyncio.sleep(known.pace.settled_s if known.settled else known.pace.unsettled_s)

    async def _ask(self, known: _Known, fresh_s: float, most_s: float | None = None) -> None:
        timeout_s = known.pace.timeout_s if most_s is None else min(most_s, known.pace.timeout_s)
        try:
            # Whoever waited for the lock finds a fresh answer.
            async with asyncio.timeout(timeout_s), known.lock:
                if known.fresh(fresh_s):
                    return
                try:
                    self._heard(known, await known.member.backend.models())
                finally:
                    known.asked_at = time.monotonic()
        except TimeoutError:
            # A caller in a hurry says nothing about the member.
            if timeout_s >= known.pace.timeout_s:
                self._lost(known, f"did not answer within {timeout_s:g} s")
        except SeekwayError as error:
            self._lost(known, error.message)

    def _heard(self, known: _Known, models: tuple[ModelInfo, ...]) -> None:
        """Figures come anew with every answer; the routes keep those they were made with until something else changes."""
        index = self._index
        before, was_away = known.models, known.away
        known.models, known.problem = models, ""
        if self._on_heard is not None:
            self._on_heard(known.member, False)
        index.served = None
        if not was_away and list(map(_without_figures, before)) == list(map(_without_figures, models)):
            return
        old, known.routes = known.routes, _routes(known.member, models)
        for name in old.keys() - known.routes.keys():
            servers = index.servers[name]
            servers.remove(known)
            if not servers:
                del index.servers[name]
        for name in known.routes.keys() - old.keys():
            insort(index.servers.setdefault(name, []), known)
        self._forget((*old, *known.routes))

    def _lost(self, known: _Known, problem: str) -> None:
        was_away, known.problem = known.away, problem
        if self._on_heard is not None:
            self._on_heard(known.member, True)
        self._index.served = None
        if not was_away:
            self._forget(known.routes)

    def _forget(self, names: Iterable[str]) -> None:
        self._index.first.clear()
        for name in names:
            self._index.serving.pop(name, None)

    def _not_found(self, name: str) -> SeekwayError:
        # Applications are always there, and say nothing of models that are not.
        backends = [known for known in self._known if known.member.stands_in]
        if backends and all(known.away for known in backends):
            problems = "; ".join(f"{backend}: {why}" for backend, why in self.problems().items())
            return BackendUnavailable(f"No backend can be asked for the model {name} ({problems}).", retry_after_s=2)
        names = sorted({model.id for known in self._known for model in known.models})
        away = "".join(f" The backend {backend} is away: {why}" for backend, why in self.problems().items())
        return ModelNotFound(
            f"There is no model {name!r}; ask for one of: {', '.join(names) or 'none is served'}.{away}", param="model"
        )


def _serving(name: str, servers: Sequence[_Known]) -> Serving:
    ready: list[Route] = []
    ready_but_away: list[Route] = []
    unready: list[Route] = []
    unready_and_away: list[Route] = []
    for known in servers:
        route = known.routes[name]
        if route.model.state == "ready":
            (ready_but_away if known.away else ready).append(route)
        else:
            (unready_and_away if known.away else unready).append(route)
    routes = tuple(ready or ready_but_away)
    return Serving(routes, (routes or unready or unready_and_away)[0])


def _routes(member: Member, models: Sequence[ModelInfo]) -> dict[str, Route]:
    """What a member means by each name: the first that is ready, else the first."""
    found: dict[str, Route] = {}
    for model in models:
        for name in (model.id, f"{model.id}@{model.version}"):
            if name not in found or (model.state == "ready" and found[name].model.state != "ready"):
                found[name] = Route(member, model, name)
    return found


def _without_figures(model: ModelInfo) -> ModelInfo:
    return msgspec.structs.replace(model, stats=_NO_FIGURES)


_NO_FIGURES = EngineStats()
