"""Which file of a followed folder became which document."""

from __future__ import annotations

from typing import Final, NamedTuple, cast

from seekway.knowledge.ingest.records import DocumentKey
from seekway.storage.sql.database import Connection, Database

_SOURCE: Final = "tenant = ? and dataset = ? and source = ?"


class Source(NamedTuple):
    """A folder or file (``source``, its path) that a dataset follows."""

    tenant: str
    dataset: str
    source: str


class Followed(NamedTuple):
    """A file of a source. ``signature`` changes with it; its document is the source's ``own`` where it was not there before."""

    path: str
    signature: str
    document: str
    own: bool


class SourceBook:
    """The tables are :class:`DocumentBook`'s. All raise ``StorageUnavailable``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def files(self, source: Source) -> dict[str, Followed]:
        """By their paths."""
        rows = await self._database.read(
            lambda connection: connection.all(
                f"select path, signature, document, own from kb_source_files where {_SOURCE}",  # noqa: S608 - columns are our own
                *source,
            )
        )
        found = (Followed(*cast("tuple[str, str, str, bool]", row)) for row in rows)
        return {one.path: one._replace(own=bool(one.own)) for one in found}

    async def note(self, source: Source, file: Followed) -> None:
        await self._database.write(
            lambda connection: connection.run(
                "insert into kb_source_files (tenant, dataset, source, path, signature, document, own) values (?, ?, ?, ?, ?, ?, ?) "
                "on conflict (tenant, dataset, source, path) do update set signature = excluded.signature, document = excluded.document, own = excluded.own",
                *(*source, file.path, file.signature, file.document, int(file.own)),
            )
        )

    async def forget(self, source: Source, path: str) -> DocumentKey | None:
        """The document that is to be deleted with the file: one that a source brought, and that no other file is."""

        def work(connection: Connection) -> DocumentKey | None:
            row = connection.one(
                f"select document, own from kb_source_files where {_SOURCE} and path = ?",  # noqa: S608 - as above
                *source,
                path,
            )
            if row is None:
                return None
            document, own = cast("tuple[str, int]", row)
            connection.run(f"delete from kb_source_files where {_SOURCE} and path = ?", *source, path)  # noqa: S608 - as above
            if not own:
                return None
            # Another file of the same content takes it over.
            heirs = connection.run(
                "update kb_source_files set own = 1 where tenant = ? and dataset = ? and document = ?",
                *(source.tenant, source.dataset, document),
            )
            return None if heirs else DocumentKey(source.tenant, source.dataset, document)

        return await self._database.write(work)

    async def shared(self, source: Source, document: str) -> bool:
        """Whether several files are that document."""
        row = await self._database.read(
            lambda connection: connection.one(
                "select count(*) from kb_source_files where tenant = ? and dataset = ? and document = ?",
                *(source.tenant, source.dataset, document),
            )
        )
        return row is not None and cast("int", row[0]) > 1
