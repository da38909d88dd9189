"""Answers written by hand, given where a question is near enough to theirs."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from structlog.typing import FilteringBoundLogger

from seekway.applications.definition import AnnotationUse
from seekway.applications.ports import Vectoriser
from seekway.applications.records import Annotation, AppRecord
from seekway.applications.store.annotations import AnnotationRows
from seekway.core.errors import AppUnavailable, NotFound, SeekwayError

_FRESH_S: Final = 10.0
"""Another process may have changed them: after so long they are read again."""

_KEPT: Final = 100
_AT_ONCE: Final = 64


class _Known(NamedTuple):
    """``matrix`` has a row of unit length for each of ``ids``."""

    read_at: float
    ids: tuple[str, ...]
    matrix: npt.NDArray[np.float32]


class AnnotationReplies:
    """``clock`` goes in seconds; ``vectoriser`` None: there are no annotation replies here."""

    def __init__(
        self,
        annotations: AnnotationRows,
        vectoriser: Vectoriser | None,
        log: FilteringBoundLogger,
        clock: Callable[[], float],
    ) -> None:
        self._annotations = annotations
        self._vectoriser = vectoriser
        self._log = log
        self._clock = clock
        self._known: OrderedDict[tuple[str, str], _Known] = OrderedDict()

    async def reply(self, app: AppRecord, query: str) -> Annotation | None:
        """The nearest one, counted as a hit. Where the question cannot be embedded, the model answers it, and the log says so."""
        use = app.definition.annotations
        if not use.enabled or self._vectoriser is None or not query.strip():
            return None
        known = await self._vectors(app.id, use)
        if not known.ids:
            return None
        try:
            vector = np.frombuffer(await self._vectoriser.embed_question(query, use.embedding_model), "<f4")
        except SeekwayError as error:
            self._log.warning("annotation_reply_failed", app=app.slug, error=error.code, reason=error.message)
            return None
        if vector.shape != known.matrix.shape[1:]:
            self._log.warning("annotation_reply_failed", app=app.slug, error="dimensions", reason="Index them again.")
            return None
        scores = known.matrix @ vector
        best = int(scores.argmax())
        # Rounding may leave the cosine of a text with itself a little under 1.
        if float(scores[best]) + 1e-6 < use.score_threshold:
            return None
        try:
            return await self._annotations.hit(app.id, known.ids[best])
        except NotFound:
            # Deleted by another process a moment ago.
            self.forget(app.id)
            return None

    async def index(self, app: AppRecord) -> None:
        """Embed the questions that have no vector. Raises ``AppUnavailable`` where nothing embeds, and what embedding raises."""
        if self._vectoriser is None:
            raise AppUnavailable(
                "Annotation replies need an embedding model; set knowledge.embedding_model.",
                param="embedding_model_name",
            )
        model = app.definition.annotations.embedding_model
        try:
            while waiting := await self._annotations.without_vector(app.id, model, _AT_ONCE):
                for annotation in waiting:
                    vector = await self._vectoriser.embed_question(annotation.question, model)
                    await self._annotations.keep_vector(annotation, model, vector)
        finally:
            self.forget(app.id)

    def forget(self, app: str) -> None:
        """Read its vectors again."""
        for key in [key for key in self._known if key[0] == app]:
            del self._known[key]

    async def _vectors(self, app: str, use: AnnotationUse) -> _Known:
        key, now = (app, use.embedding_model), self._clock()
        known = self._known.get(key)
        if known is not None and now - known.read_at < _FRESH_S:
            return known
        rows = await self._annotations.vectors(app, use.embedding_model)
        size = max((len(vector) for _, vector in rows), default=0)
        rows = [row for row in rows if len(row[1]) == size and size]
        matrix = np.frombuffer(b"".join(vector for _, vector in rows), "<f4").reshape(len(rows), -1 if rows else 0)
        known = self._known[key] = _Known(now, tuple(name for name, _ in rows), matrix.astype(np.float32, copy=False))
        self._known.move_to_end(key)
        while len(self._known) > _KEPT:
            self._known.popitem(last=False)
        return known
