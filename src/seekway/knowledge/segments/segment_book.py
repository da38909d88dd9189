"""The segments of documents. What returned from here outlives the process; the index follows (:mod:`seekway.knowledge.segments.editing`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

from seekway.core.errors import NotFound
from seekway.knowledge.ingest.records import DocumentKey
from seekway.knowledge.passage import Passage
from seekway.knowledge.segments import segment_rows as rows
from seekway.knowledge.segments.records import (
    SEGMENT_COLUMNS,
    NewSegment,
    Segment,
    SegmentChange,
    SegmentKey,
    tokens_of,
)
from seekway.knowledge.segments.segment_rows import OF_DOCUMENT
from seekway.storage.sql.database import Connection, Database, Value


class SegmentBook:
    """Every call names the tenant's document, and sees nothing of another. ``clock`` gives milliseconds since 1970.

    What writes raises ``InvalidRequest`` while the document is not indexed, and what names a segment ``NotFound``.
    """

    def __init__(self, database: Database, clock: Callable[[], int]) -> None:
        self._database = database
        self._clock = clock

    async def segment(self, place: DocumentKey, segment: str) -> Segment:
        return await self._database.read(lambda connection: rows.segment(connection, place, segment))

    async def page(
        self, place: DocumentKey, *, keyword: str = "", statuses: Sequence[str] = (), page: int = 1, limit: int = 20
    ) -> tuple[list[Segment], int]:
        """In order, and how many there are in all; ``statuses`` are ``completed`` and ``indexing``."""
        where, values = f"{OF_DOCUMENT} and deleted = 0", list[Value](place)
        if keyword:
            where += " and (lower(content) like ? escape '!' or lower(coalesce(answer, '')) like ? escape '!')"
            values += [like(keyword)] * 2
        if statuses and not {"completed", "indexing"}.issubset(statuses):
            where += {"completed": " and settled = revision", "indexing": " and settled < revision"}.get(
                next((one for one in statuses if one in ("completed", "indexing")), ""), " and 1 = 0"
            )

        def work(connection: Connection) -> tuple[list[Segment], int]:
            total = connection.one(f"select count(*) from kb_segments where {where}", *values)  # noqa: S608 - our own words
            found = connection.all(
                f"select {SEGMENT_COLUMNS} from kb_segments where {where} order by position limit ? offset ?",  # noqa: S608 - our own words
                *(*values, limit, (page - 1) * limit),
            )
            return rows.with_children(connection, place, found), cast("int", total[0]) if total is not None else 0

        return await self._database.read(work)

    async def at(self, tenant: str, keys: Sequence[SegmentKey]) -> list[Segment | None]:
        """For each the segment of that place, or None where that is gone meanwhile."""

        def work(connection: Connection) -> list[Segment | None]:
            found: list[Segment | None] = []
            for key in keys:
                place = DocumentKey(tenant, key.dataset, key.document)
                row = connection.one(
                    f"select {SEGMENT_COLUMNS} from kb_segments where {OF_DOCUMENT} and position = ? and deleted = 0",  # noqa: S608 - our own words
                    *(*place, key.position),
                )
                found.append(None if row is None else rows.with_children(connection, place, [row])[0])
            return found

        return await self._database.read(work)

    async def count_hits(self, tenant: str, keys: Sequence[SegmentKey]) -> None:
        """Each was found once more."""
        values = [(tenant, key.dataset, key.document, key.position) for key in keys]
        if values:
            await self._database.write(
                lambda connection: connection.run_many(
                    f"update kb_segments set hits = hits + 1 where {OF_DOCUMENT} and position = ?",  # noqa: S608 - our own words
                    values,
                )
            )

    async def add(self, place: DocumentKey, new: Sequence[NewSegment]) -> list[Segment]:
        """Behind the others."""
        now = self._clock()

        def work(connection: Connection) -> list[Segment]:
            rows.must_be_whole(connection, place)
            last, made = rows.last_position(connection, place), list[Segment]()
            for position, one in enumerate(new, last + 1):
                name = rows.insert(connection, place, one, Passage(position, one.content, 0, 0), now, settled=-1)
                made.append(rows.segment(connection, place, name))
            rows.count_segments(connection, place, len(made))
            return made

        return await self._database.write(work)

    async def change(self, place: DocumentKey, segment: str, change: SegmentChange) -> Segment:
        now = self._clock()

        def work(connection: Connection) -> Segment:
            rows.must_be_whole(connection, place)
            old = rows.segment(connection, place, segment)
            content = old.content if change.content is None else change.content
            answer = old.answer if change.answer is None else change.answer
            values: dict[str, Value] = {"content": content, "answer": answer, "updated_at": now}
            values["tokens"] = tokens_of(content, answer)
            if change.keywords is not None:
                values["keywords"] = rows.as_json(change.keywords)
            if change.enabled is not None:
                values |= {"enabled": int(change.enabled), "disabled_at": None if change.enabled else now}
            rows.next_revision(connection, place, segment, values)
            if change.children is not None:
                connection.run(f"delete from kb_children where {OF_DOCUMENT} and segment = ?", *place, segment)  # noqa: S608 - our own words
                rows.insert_children(connection, place, segment, change.children, now)
            return rows.segment(connection, place, segment)

        return await self._database.write(work)

    async def mark_deleted(self, place: DocumentKey, segment: str) -> None:
        """It is seen no more."""
        now = self._clock()

        def work(connection: Connection) -> None:
            rows.must_be_whole(connection, place)
            rows.segment(connection, place, segment)
            rows.next_revision(connection, place, segment, {"deleted": 1, "updated_at": now})
            rows.count_segments(connection, place, -1)

        await self._database.write(work)

    async def add_child(self, place: DocumentKey, segment: str, content: str) -> str:
        """Behind the others; its name."""
        now = self._clock()

        def work(connection: Connection) -> str:
            rows.must_be_whole(connection, place)
            last = max((child.position for child in rows.segment(connection, place, segment).children), default=0)
            rows.next_revision(connection, place, segment, {"updated_at": now})
            return rows.insert_children(connection, place, segment, [content], now, after=last, custom=True)[0]

        return await self._database.write(work)

    async def change_child(self, place: DocumentKey, segment: str, child: str, content: str | None) -> None:
        """None takes it away."""
        now = self._clock()
        which = f"{OF_DOCUMENT} and segment = ? and id = ?"

        def work(connection: Connection) -> None:
            rows.must_be_whole(connection, place)
            rows.segment(connection, place, segment)
            if content is None:
                done = connection.run(f"delete from kb_children where {which}", *place, segment, child)  # noqa: S608 - our own words
            else:
                done = connection.run(
                    f"update kb_children set content = ?, custom = 1, updated_at = ? where {which}",  # noqa: S608 - our own words
                    *(content, now, *place, segment, child),
                )
            if not done:
                raise NotFound(f"There is no child chunk {child!r} in this segment.", param="child_chunk_id")
            rows.next_revision(connection, place, segment, {"updated_at": now})

        await self._database.write(work)

    async def unsettled(self, place: DocumentKey) -> list[Segment]:
        """Those of which the index may not know yet how they are, also deleted ones, claimed for whoever asks."""
        which = f"{OF_DOCUMENT} and settled < revision"

        def work(connection: Connection) -> list[Segment]:
            connection.run(f"update kb_segments set claim = claim + 1 where {which}", *place)  # noqa: S608 - our own words
            found = connection.all(
                f"select {SEGMENT_COLUMNS} from kb_segments where {which} order by position",  # noqa: S608 - our own words
                *place,
            )
            return rows.with_children(connection, place, found)

        return await self._database.write(work)

    async def datasets(self) -> list[tuple[str, str]]:
        """Tenant and id of those that have segments to be found."""
        found = await self._database.read(
            lambda connection: connection.all(
                "select distinct tenant, dataset from kb_documents d where deleted = 0 and status = 'completed' and exists "
                "(select 1 from kb_segments s where s.tenant = d.tenant and s.dataset = d.dataset and s.document = d.id and s.deleted = 0 and s.enabled = 1)"
            )
        )
        return [cast("tuple[str, str]", row) for row in found]

    async def unsettle(self, tenant: str, dataset: str) -> None:
        """The index is to be told of all of a dataset's again."""
        await self._database.write(
            lambda connection: connection.run(
                "update kb_segments set revision = revision + 1, settled = ? where tenant = ? and dataset = ? and settled = revision",
                *(rows.LOST, tenant, dataset),
            )
        )

    async def unsettle_others(self, place: DocumentKey, known: Sequence[Segment]) -> None:
        """The index has of a document nothing but these."""
        names = {one.id for one in known}

        def work(connection: Connection) -> None:
            found = connection.all(
                f"select id from kb_segments where {OF_DOCUMENT} and settled = revision",  # noqa: S608 - our own words
                *place,
            )
            for name in (str(row[0]) for row in found):
                if name not in names:
                    rows.next_revision(connection, place, name, {"settled": rows.LOST})

        await self._database.write(work)

    async def unsettled_count(self, tenant: str, dataset: str) -> int:
        row = await self._database.read(
            lambda connection: connection.one(
                "select count(*) from kb_segments where tenant = ? and dataset = ? and settled < revision",
                *(tenant, dataset),
            )
        )
        return cast("int", row[0]) if row is not None else 0

    async def unsettled_documents(self) -> list[DocumentKey]:
        found = await self._database.read(
            lambda connection: connection.all(
                "select distinct tenant, dataset, document from kb_segments where settled < revision"
            )
        )
        return [DocumentKey(*cast("tuple[str, str, str]", row)) for row in found]

    async def settle(self, place: DocumentKey, done: Sequence[Segment]) -> bool:
        """The index has these as they are here. What was changed again meanwhile stays unsettled.

        Also what somebody else claimed meanwhile, in whichever process: who of the two was the last at the index is not known.
        False where the document was indexed anew meanwhile: then it is indexed once more.
        """
        now = self._clock()

        def work(connection: Connection) -> bool:
            present = True
            for one in done:
                found = connection.run(
                    f"update kb_segments set settled = case when claim = ? then ? else settled end, "  # noqa: S608 - our own words
                    f"revision = case when claim = ? then revision else revision + 1 end, completed_at = ? where {OF_DOCUMENT} and id = ?",
                    *(one.claim, one.revision, one.claim, now, *place, one.id),
                )
                present = present and found > 0
                if one.deleted:
                    connection.run(
                        f"delete from kb_segments where {OF_DOCUMENT} and id = ? and deleted = 1 and settled = revision",  # noqa: S608 - our own words
                        *(*place, one.id),
                    )
            return present and not rows.index_again(connection, place, whole=False)

        if await self._database.write(work):
            return True
        await self._database.write(lambda connection: rows.index_again(connection, place, whole=True))
        return False


def like(keyword: str) -> str:
    """A pattern for ``like … escape '!'`` on what is in lower case."""
    text = keyword.lower()
    for mark in "!%_":
        text = text.replace(mark, f"!{mark}")
    return f"%{text}%"
