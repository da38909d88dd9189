"""Answers written by hand, with their questions' vectors by model."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import msgspec

from seekway.applications.records import Annotation
from seekway.applications.store.table import Table, like
from seekway.core.errors import NotFound
from seekway.storage.sql.database import Connection, Database, Value

ANNOTATIONS = Table("app_annotations", Annotation)


class AnnotationRows:
    def __init__(self, database: Database, clock: Callable[[], int]) -> None:
        self._database = database
        self._clock = clock

    async def add(self, app: str, question: str, answer: str) -> Annotation:
        made = Annotation(app, str(uuid.uuid4()), question, answer, 0, self._clock())
        await self._database.write(lambda connection: ANNOTATIONS.insert(connection, made))
        return made

    async def change(self, app: str, annotation: str, question: str, answer: str) -> Annotation:
        """Vectors of another question are dropped."""

        def work(connection: Connection) -> Annotation:
            known = _annotation(connection, app, annotation)
            changed = msgspec.structs.replace(known, question=question, answer=answer)
            ANNOTATIONS.update(connection, changed, ("question", "answer"))
            if question != known.question:
                connection.run("delete from app_annotation_vectors where annotation = ?", annotation)
            return changed

        return await self._database.write(work)

    async def delete(self, app: str, annotation: str) -> None:
        def work(connection: Connection) -> None:
            _annotation(connection, app, annotation)
            connection.run("delete from app_annotation_vectors where annotation = ?", annotation)
            ANNOTATIONS.delete(connection, "where id = ?", annotation)

        await self._database.write(work)

    async def annotation(self, app: str, annotation: str) -> Annotation:
        return await self._database.read(lambda connection: _annotation(connection, app, annotation))

    async def page(
        self, app: str, *, page: int = 1, limit: int = 20, keyword: str = ""
    ) -> tuple[list[Annotation], int]:
        """Those whose question or answer holds ``keyword``, the newest first, and how many there are in all."""
        where, more = "where app = ?", list[Value]((app,))
        if keyword:
            where += " and (lower(question) like ? escape '!' or lower(answer) like ? escape '!')"
            more += (like(keyword), like(keyword))

        def work(connection: Connection) -> tuple[list[Annotation], int]:
            rest = f"{where} order by created_at desc, id limit ? offset ?"
            found = ANNOTATIONS.all(connection, rest, *more, limit, (page - 1) * limit)
            return found, ANNOTATIONS.count(connection, where, *more)

        return await self._database.read(work)

    async def without_vector(self, app: str, model: str, limit: int) -> list[Annotation]:
        """Those whose question ``model`` has not embedded."""
        return await self._database.read(
            lambda connection: ANNOTATIONS.all(
                connection,
                "where app = ? and not exists (select 1 from app_annotation_vectors v where v.annotation = app_annotations.id and v.model = ?) order by created_at, id limit ?",
                *(app, model, limit),
            )
        )

    async def keep_vector(self, annotation: Annotation, model: str, vector: bytes) -> None:
        """Nothing where it is gone, or its question is another by now."""

        def work(connection: Connection) -> None:
            now = ANNOTATIONS.one(connection, "where id = ?", annotation.id)
            if now is not None and now.question == annotation.question:
                connection.run(
                    "insert into app_annotation_vectors (annotation, model, vector) values (?, ?, ?) on conflict (annotation, model) do update set vector = excluded.vector",
                    *(annotation.id, model, vector),
                )

        await self._database.write(work)

    async def vectors(self, app: str, model: str) -> list[tuple[str, bytes]]:
        """Ids with the vectors of their questions."""
        rows = await self._database.read(
            lambda connection: connection.all(
                "select v.annotation, v.vector from app_annotation_vectors v join app_annotations a on a.id = v.annotation where a.app = ? and v.model = ? order by a.created_at, a.id",
                *(app, model),
            )
        )
        return [(str(row[0]), bytes(row[1]) if isinstance(row[1], bytes | memoryview) else b"") for row in rows]

    async def hit(self, app: str, annotation: str) -> Annotation:
        """It answered; its count says so."""

        def work(connection: Connection) -> Annotation:
            connection.run(
                "update app_annotations set hit_count = hit_count + 1 where id = ? and app = ?", annotation, app
            )
            return _annotation(connection, app, annotation)

        return await self._database.write(work)


def _annotation(connection: Connection, app: str, annotation: str) -> Annotation:
    found = ANNOTATIONS.one(connection, "where id = ? and app = ?", annotation, app)
    if found is None:
        raise NotFound("Annotation Not Exists.", param="annotation_id")
    return found
