"""Tags of a tenant, bound to its datasets."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from typing import cast

import msgspec

from seekway.core.errors import NotFound
from seekway.storage.sql.database import Connection, Database


class Tag(msgspec.Struct, frozen=True):
    """``bound`` is the number of datasets that have it."""

    id: str
    name: str
    bound: int = 0


class TagBook:
    """All that names a tag raises ``NotFound`` where the tenant has none such; a name that is taken raises ``AlreadyExists``."""

    def __init__(self, database: Database, clock: Callable[[], int]) -> None:
        self._database = database
        self._clock = clock

    async def create(self, tenant: str, name: str) -> Tag:
        made, now = str(uuid.uuid4()), self._clock()
        await self._database.write(
            lambda connection: connection.run(
                "insert into kb_tags (tenant, id, name, created_at) values (?, ?, ?, ?)", tenant, made, name, now
            )
        )
        return Tag(made, name)

    async def tags(self, tenant: str, dataset: str | None = None) -> list[Tag]:
        """By name; of one dataset where it is given."""
        of_one = "" if dataset is None else "and exists (select 1 from kb_tag_bindings b where b.tenant = t.tenant and b.tag = t.id and b.dataset = ?) "  # fmt: skip
        rows = await self._database.read(
            lambda connection: connection.all(
                "select t.id, t.name, (select count(*) from kb_tag_bindings b join kb_datasets d on d.tenant = b.tenant and d.id = b.dataset "  # noqa: S608 - our own words
                f"where b.tenant = t.tenant and b.tag = t.id and d.deleted = 0) from kb_tags t where t.tenant = ? {of_one}order by t.name, t.id",
                *((tenant,) if dataset is None else (tenant, dataset)),
            )
        )
        return [Tag(*cast("tuple[str, str, int]", row)) for row in rows]

    async def bindings(self, tenant: str) -> dict[str, list[Tag]]:
        """By dataset."""
        rows = await self._database.read(
            lambda connection: connection.all(
                "select b.dataset, t.id, t.name from kb_tag_bindings b join kb_tags t on t.tenant = b.tenant and t.id = b.tag where b.tenant = ? order by t.name, t.id",
                tenant,
            )
        )
        found: dict[str, list[Tag]] = {}
        for dataset, tag, name in cast("list[tuple[str, str, str]]", rows):
            found.setdefault(dataset, []).append(Tag(tag, name))
        return found

    async def rename(self, tenant: str, tag: str, name: str) -> Tag:
        def work(connection: Connection) -> None:
            if not connection.run("update kb_tags set name = ? where tenant = ? and id = ?", name, tenant, tag):
                raise _no_tag(tag)

        await self._database.write(work)
        return next(one for one in await self.tags(tenant) if one.id == tag)

    async def delete(self, tenant: str, tag: str) -> None:
        def work(connection: Connection) -> None:
            if not connection.run("delete from kb_tags where tenant = ? and id = ?", tenant, tag):
                raise _no_tag(tag)

        await self._database.write(work)

    async def bind(self, tenant: str, tags: Sequence[str], dataset: str) -> None:
        """All or none; also raises ``NotFound`` for the dataset."""

        def work(connection: Connection) -> None:
            if not connection.one(
                "select 1 from kb_datasets where tenant = ? and id = ? and deleted = 0", tenant, dataset
            ):
                raise NotFound(f"There is no knowledge base {dataset!r}.", param="target_id")
            for tag in tags:
                if not connection.one("select 1 from kb_tags where tenant = ? and id = ?", tenant, tag):
                    raise _no_tag(tag)
                connection.run(
                    "insert into kb_tag_bindings (tenant, tag, dataset) values (?, ?, ?) on conflict (tenant, tag, dataset) do nothing",
                    *(tenant, tag, dataset),
                )

        await self._database.write(work)

    async def unbind(self, tenant: str, tags: Sequence[str], dataset: str) -> None:
        """Those that are not bound are passed over."""
        rows = [(tenant, tag, dataset) for tag in tags]
        await self._database.write(
            lambda connection: connection.run_many(
                "delete from kb_tag_bindings where tenant = ? and tag = ? and dataset = ?", rows
            )
        )


def _no_tag(tag: str) -> NotFound:
    return NotFound(f"There is no tag {tag!r}.", param="tag_id")
