"""Files that users sent."""

from __future__ import annotations

from typing import cast

from seekway.applications.records import Upload
from seekway.applications.store.table import Table
from seekway.core.errors import NotFound
from seekway.storage.sql.database import Connection, Database

UPLOADS = Table("app_uploads", Upload)


class UploadRows:
    """A file is its user's: for another it raises ``NotFound``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(self, upload: Upload, body: bytes) -> None:
        def work(connection: Connection) -> None:
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


def _upload(connection: Connection, app: str, user: str, upload: str) -> Upload:
    found = UPLOADS.one(connection, 'where id = ? and app = ? and "user" = ?', upload, app, user)
    if found is None:
        raise _no_file()
    return found


def _no_file() -> NotFound:
    return NotFound("File Not Exists.", param="upload_file_id")
