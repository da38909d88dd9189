"""The applications themselves."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import msgspec

from seekway.applications.records import AppRecord
from seekway.applications.store.table import Table
from seekway.core.errors import NotFound
from seekway.storage.sql.database import Connection, Database

APPS = Table("app_apps", AppRecord, json=("definition", "tags"))
_CHANGED = (
    "slug",
    "name",
    "definition",
    "description",
    "icon",
    "icon_type",
    "icon_background",
    "tags",
    "author",
    "source",
    "enabled",
    "updated_at",
)


class AppRows:
    """Every call raises ``StorageUnavailable``; those that name an application raise ``NotFound`` where the tenant has none such."""

    def __init__(self, database: Database, clock: Callable[[], int]) -> None:
        self._database = database
        self._clock = clock

    async def create(self, app: AppRecord) -> AppRecord:
        """``id`` and moments are made where they are not given. Raises ``AlreadyExists`` for a slug that the tenant has."""
        now = self._clock()
        made = msgspec.structs.replace(app, id=app.id or str(uuid.uuid4()), created_at=now, updated_at=now)
        await self._database.write(lambda connection: APPS.insert(connection, made))
        return made

    async def change(self, app: AppRecord) -> AppRecord:
        """Everything but tenant, id and when it was made. Raises ``AlreadyExists`` for another's slug."""
        changed = msgspec.structs.replace(app, updated_at=self._clock())
        if not await self._database.write(lambda connection: APPS.update(connection, changed, _CHANGED)):
            raise no_app(app.slug)
        return changed

    async def by_slug(self, tenant: str, slug: str) -> AppRecord:
        found = await self._database.read(
            lambda connection: APPS.one(connection, "where tenant = ? and slug = ?", tenant, slug)
        )
        if found is None:
            raise no_app(slug)
        return found

    async def by_id(self, tenant: str, app: str) -> AppRecord:
        found = await self._database.read(
            lambda connection: APPS.one(connection, "where tenant = ? and id = ?", tenant, app)
        )
        if found is None:
            raise no_app(app)
        return found

    async def all(self, tenant: str | None = None) -> list[AppRecord]:
        """By name; those of every tenant where none is given."""
        which, more = ("", ()) if tenant is None else ("where tenant = ? ", (tenant,))
        return await self._database.read(lambda connection: APPS.all(connection, f"{which}order by name, id", *more))

    async def delete(self, tenant: str, slug: str) -> None:
        """With every trace: its users, conversations, messages, annotations and files."""
        app = (await self.by_slug(tenant, slug)).id
        await self._database.write(lambda connection: _delete(connection, app))


def no_app(name: str) -> NotFound:
    return NotFound(f"There is no application {name!r}; `seekway app list` shows those there are.", param="app")


def _delete(connection: Connection, app: str) -> None:
    for table, of in (
        ("app_variables", "conversation in (select id from app_conversations where app = ?)"),
        ("app_message_uploads", "message in (select id from app_messages where app = ?)"),
        ("app_thoughts", "message in (select id from app_messages where app = ?)"),
        ("app_annotation_vectors", "annotation in (select id from app_annotations where app = ?)"),
        ("app_upload_bodies", "upload in (select id from app_uploads where app = ?)"),
    ):
        connection.run(f"delete from {table} where {of}", app)  # noqa: S608 - names are our own
    for table in ("conversations", "messages", "feedbacks", "annotations", "uploads", "stops", "users"):
        connection.run(f"delete from app_{table} where app = ?", app)  # noqa: S608 - as above
    connection.run("delete from app_apps where id = ?", app)
