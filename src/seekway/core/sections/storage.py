"""Where the state of knowledge bases and applications lies."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from seekway.core.errors import ConfigError


class StorageSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    directory: Annotated[
        str, Meta(description="Where the database files lie; a relative path begins at the settings file.")
    ] = "~/.local/share/seekway/state"
    url: Annotated[
        str | None,
        Meta(
            description="PostgreSQL that keeps the records, `postgresql://user@host/name`, with the extra `postgresql`; unset: SQLite in `directory`. The passages of knowledge bases lie in `directory` either way, unless `knowledge.store_url` says otherwise."
        ),
    ] = None
    password_env: Annotated[
        str | None, Meta(description="Environment variable that holds PostgreSQL's password, where it asks for one.")
    ] = None


def check_storage(storage: StorageSettings) -> None:
    """Raises ``ConfigError``; the address is not repeated where a password may stand in it."""
    if storage.url is None:
        return
    try:
        parts = urlsplit(storage.url)
        known, password = parts.scheme in ("postgresql", "postgres"), parts.password
    except ValueError:
        known, password = False, None
    if password is not None or "password=" in storage.url:
        raise ConfigError(
            "storage.url has a password in it; take it out and name its environment variable in storage.password_env.",
            param="storage.url",
        )
    if not known:
        raise ConfigError(
            "storage.url must begin with postgresql://; leave it unset for SQLite in storage.directory.",
            param="storage.url",
        )
