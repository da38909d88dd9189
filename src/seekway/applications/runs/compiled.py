"""A definition made ready for its questions, once for as long as it does not change."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from seekway.applications.definition import Definition
from seekway.applications.records import AppRecord
from seekway.applications.runs.model_request import ModelAsk
from seekway.applications.runs.moderation import AppWords
from seekway.applications.runs.prompt import PromptPlan

_KEPT: Final = 1000


class CompiledApp:
    """Raises ``AppUnavailable`` for a definition that cannot be followed."""

    __slots__ = ("ask", "prompt", "words")

    def __init__(self, definition: Definition) -> None:
        self.prompt = PromptPlan(definition)
        self.ask = ModelAsk(definition.model)
        self.words = None if definition.moderation is None else AppWords(definition.moderation)


class CompiledApps:
    """By the application and its definition."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, tuple[Definition, CompiledApp]] = OrderedDict()

    def of(self, app: AppRecord) -> CompiledApp:
        known = self._known.get(app.id)
        # The same object as long as whoever reads applications keeps them; else one that is equal will do.
        if known is not None and known[0] is app.definition:
            return known[1]
        compiled = known[1] if known is not None and known[0] == app.definition else CompiledApp(app.definition)
        self._known[app.id] = (app.definition, compiled)
        self._known.move_to_end(app.id)
        while len(self._known) > _KEPT:
            self._known.popitem(last=False)
        return compiled
