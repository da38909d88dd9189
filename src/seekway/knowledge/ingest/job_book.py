"""What the work on documents leaves behind, step by step, so that it can go on after a crash, in whichever process.

Whoever works on a document has claimed it: the claim's number goes with everything he writes, and where the document was claimed, changed or deleted since, nothing is written.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Final, NamedTuple, TypeVar, cast

from seekway.knowledge.ingest.records import UNDER_WAY, DocumentKey, Status
from seekway.knowledge.passage import Passage
from seekway.knowledge.segments.segment_rows import LOST, write_passages
from seekway.storage.sql.database import Connection, Database, Value

T = TypeVar("T")

_MARKS: Final = ", ".join("?" * len(UNDER_WAY))
_CLAIMED: Final = "tenant = ? and dataset = ? and id = ? and revision = ? and deleted = 0"
_EDITED_MS: Final = 60_000
"""Who changes a segment tells the index himself; whose change is older than this is likely no more."""

_PARTS: Final = ("kb_cuts", "kb_embedded")


class Superseded(Exception):
    """The document was taken by another process, paused, replaced or deleted: whoever worked on it stops, and nothing is amiss."""


class Claimed(NamedTuple):
    key: DocumentKey
    revision: int


class JobBook:
    """All that takes a claim raises :class:`Superseded`; all raise ``StorageUnavailable``."""

    def __init__(self, database: Database, clock: Callable[[], int]) -> None:
        self._database = database
        self._clock = clock

    async def due(self) -> bool:
        """Whether anything waits, is not in the index as it is here, or was left by a process that may be no more."""

        left = self._clock() - _EDITED_MS

        def work(connection: Connection) -> bool:
            statuses = connection.one(
                f"select 1 from kb_documents where status in ('waiting', {_MARKS}) limit 1",  # noqa: S608 - marks only
                *UNDER_WAY,
            )
            if statuses is not None or connection.one("select 1 from kb_documents where deleted = 1 limit 1"):
                return True
            if connection.one("select 1 from kb_datasets where deleted = 1 limit 1"):
                return True
            if connection.one("select 1 from kb_documents where undescribed = 1 limit 1"):
                return True
            unsettled = "select 1 from kb_segments where settled < revision and (updated_at < ? or settled = ?) limit 1"
            return connection.one(unsettled, left, LOST) is not None

        return await self._database.read(work)

    async def waiting(self, limit: int) -> list[DocumentKey]:
        """Of all tenants, the first to come first."""
        rows = await self._database.read(
            lambda connection: connection.all(
                "select tenant, dataset, id from kb_documents where status = 'waiting' and deleted = 0 order by created_at, position limit ?",
                limit,
            )
        )
        return [DocumentKey(*cast("tuple[str, str, str]", row)) for row in rows]

    async def put_back(self) -> None:
        """Those that a process which is no more was at wait again, and are no longer that process's, should it be there still."""
        await self._database.write(
            lambda connection: connection.run(
                f"update kb_documents set status = 'waiting', revision = revision + 1 where status in ({_MARKS}) and deleted = 0",  # noqa: S608 - marks only
                *UNDER_WAY,
            )
        )

    async def claim(self, key: DocumentKey) -> Claimed:
        """Of one that waits."""
        row = await _through(
            self._database.write(
                lambda connection: connection.one(
                    "update kb_documents set revision = revision + 1, status = case when exists "
                    "(select 1 from kb_cuts c where c.tenant = kb_documents.tenant and c.dataset = kb_documents.dataset and c.document = kb_documents.id) "
                    "then 'indexing' else 'parsing' end "
                    "where tenant = ? and dataset = ? and id = ? and status = 'waiting' and deleted = 0 returning revision",
                    *key,
                )
            )
        )
        if row is None:
            raise Superseded
        return Claimed(key, cast("int", row[0]))

    async def step(self, claimed: Claimed, status: Status, **values: Value) -> None:
        """The next status, with what became known."""
        await self._change(claimed, {"status": status, **values}, lambda connection: None)

    async def keep_cut(self, claimed: Claimed, passages: bytes, values: Mapping[str, Value]) -> None:
        """What it was cut into, and that it is being indexed."""

        def work(connection: Connection) -> None:
            drop_cut(connection, claimed.key)
            connection.run(
                "insert into kb_cuts (tenant, dataset, document, passages) values (?, ?, ?, ?)", *claimed.key, passages
            )

        await self._change(claimed, values, work)

    async def cut(self, key: DocumentKey) -> tuple[bytes | None, list[tuple[int, bytes]]]:
        """What was kept of it: its passages, and vectors with the number of the text they begin with, in order."""

        def work(connection: Connection) -> tuple[bytes | None, list[tuple[int, bytes]]]:
            row = connection.one("select passages from kb_cuts where tenant = ? and dataset = ? and document = ?", *key)
            rows = connection.all(
                "select first, vectors from kb_embedded where tenant = ? and dataset = ? and document = ? order by first",
                *key,
            )
            vectors = [(first, bytes(body)) for first, body in cast("Sequence[tuple[int, bytes]]", rows)]
            return (bytes(cast("bytes", row[0])) if row is not None else None), vectors

        return await self._database.read(work)

    async def keep_vectors(self, claimed: Claimed, first: int, vectors: bytes, done: int) -> None:
        def work(connection: Connection) -> None:
            connection.run(
                "insert into kb_embedded (tenant, dataset, document, first, vectors) values (?, ?, ?, ?, ?) "
                "on conflict (tenant, dataset, document, first) do update set vectors = excluded.vectors",
                *(*claimed.key, first, vectors),
            )

        await self._change(claimed, {"segments_done": done}, work)

    async def complete(self, claimed: Claimed, passages: Sequence[Passage]) -> None:
        """The passages are its segments from now on."""
        now, number = self._clock(), len(passages)

        def work(connection: Connection) -> None:
            write_passages(connection, claimed.key, passages, now)
            drop_cut(connection, claimed.key)

        done = {"segments": number, "segments_done": number}
        await self._change(claimed, {"status": "completed", "completed_at": now, "error": None, **done}, work)

    async def do_again(self, key: DocumentKey) -> None:
        """One that is completed waits again: somebody who had been overtaken may have put older passages in its place."""
        await self._database.write(
            lambda connection: connection.run(
                "update kb_documents set status = 'waiting', revision = revision + 1 where tenant = ? and dataset = ? and id = ? and status = 'completed' and deleted = 0",
                *key,
            )
        )

    async def _change(self, claimed: Claimed, values: Mapping[str, Value], also: Callable[[Connection], None]) -> None:
        assignments = ", ".join(f"{column} = ?" for column in values)

        def work(connection: Connection) -> bool:
            changed = connection.run(
                f"update kb_documents set {assignments} where {_CLAIMED}",  # noqa: S608 - columns are our own
                *(*values.values(), *claimed.key, claimed.revision),
            )
            if changed:
                also(connection)
            return changed > 0

        if not await _through(self._database.write(work)):
            raise Superseded


def drop_cut(connection: Connection, key: DocumentKey) -> None:
    for table in _PARTS:
        connection.run(f"delete from {table} where tenant = ? and dataset = ? and document = ?", *key)  # noqa: S608 - our own names


async def _through(writing: Coroutine[object, object, T]) -> T:
    """Cancelled, it ends when what it wrote is written, so that nothing is written after what comes next."""
    task = asyncio.ensure_future(writing)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
