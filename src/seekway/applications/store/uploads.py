"""Files that users sent, and the messages that they came with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, cast

from seekway.applications.records import MessageFile, Upload
from seekway.applications.store.table import Table
from seekway.core.errors import NotFound
from seekway.storage.sql.database import Connection, Database, Value

UPLOADS = Table("app_uploads", Upload)
UNUSED_MS: Final = 7 * 86_400_000
"""So long a file waits for its question."""

_LOOK_MS: Final = 3_600_000


class UploadRows:
    """A file is its user's: for another it raises ``NotFound``."""

    def __init__(self, database: Database, clock: Callable[[], int]) -> None:
        self._database = database
        self._clock = clock
        self._looked_at: int | None = None

    async def keep(self, upload: Upload, body: bytes) -> None:
        """Files that nobody asked about for :data:`UNUSED_MS` are deleted; an hour passes between two looks for them."""
        now = self._clock()
        look = self._looked_at is None or now - self._looked_at >= _LOOK_MS
        if look:
            self._looked_at = now

        def work(connection: Connection) -> None:
            if look:
                delete_unused(connection, "created_at < ?", now - UNUSED_MS)
            UPLOADS.insert(connection, upload)
            connection.run("insert into app_upload_bodies (upload, body) values (?, ?)", upload.id, body)

        await self._database.write(work)

    async def upload(self, app: str, user: str, upload: str) -> Upload:
        return await self._database.read(lambda connection: _upload(connection, app, user, upload))

    async def body(self, app: str, upload: str) -> tuple[Upload, bytes]:
        """Whoever's it is; the caller has seen that it may be read."""

        def work(connection: Connection) -> tuple[Upload, bytes]:
            found = UPLOADS.one(connection, "where id = ? and app = ?", upload, app)
            row = connection.one("select body from app_upload_bodies where upload = ?", upload)
            if found is None or row is None:
                raise _no_file()
            return found, bytes(cast("bytes", row[0]))

        return await self._database.read(work)


def use(connection: Connection, message: str, files: Sequence[MessageFile]) -> None:
    """``message`` has ``files``."""
    for upload in {file.upload for file in files if file.upload}:
        connection.run(
            "insert into app_message_uploads (upload, message) values (?, ?) on conflict do nothing", upload, message
        )


def delete_unused(connection: Connection, where: str, *parameters: Value) -> None:
    """Those uploads ``where`` says that no message has."""
    unused = connection.all(
        f"select id from app_uploads where {where} and not exists (select 1 from app_message_uploads where upload = app_uploads.id)",  # noqa: S608 - conditions are our own
        *parameters,
    )
    connection.run_many("delete from app_upload_bodies where upload = ?", unused)
    connection.run_many("delete from app_uploads where id = ?", unused)


def _upload(connection: Connection, app: str, user: str, upload: str) -> Upload:
    found = UPLOADS.one(connection, 'where id = ? and app = ? and "user" = ?', upload, app, user)
    if found is None:
        raise _no_file()
    return found


def _no_file() -> NotFound:
    return NotFound("File Not Exists.", param="upload_file_id")
