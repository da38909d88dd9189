"""The store of applications, by the settings."""

from __future__ import annotations

from pathlib import Path

from seekway.app.state import State, milliseconds
from seekway.applications.store.app_store import AppStore
from seekway.core.sections.storage import StorageSettings
from seekway.storage.sql.database import Database

RECORDS = "applications.sqlite"


def app_store(storage: StorageSettings, config: Path | None) -> AppStore:
    """Opened when it is first asked; ``config`` is the settings file. Raises ``ConfigError`` where PostgreSQL is named and its driver is not installed."""
    return AppStore(State(storage, config).records(RECORDS, _make), milliseconds)


async def _make(database: Database) -> None:
    await AppStore(database, milliseconds).open()
