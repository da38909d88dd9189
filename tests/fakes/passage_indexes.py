"""An index of each store, opened in a place of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Literal

from seekway.knowledge.index.lance.lance_index import LancePassageIndex
from seekway.knowledge.index.passage_index import PassageIndex
from seekway.knowledge.index.sqlite_index import SqlitePassageIndex, prepare_connection
from seekway.storage.sql.sqlite import SqliteDatabase

Store = Literal["sqlite", "lance"]


async def opened(store: Store, path: Path) -> tuple[PassageIndex, Callable[[], Awaitable[None]]]:
    """With what closes it."""
    if store == "lance":
        return LancePassageIndex(str(path)), _nothing
    database = SqliteDatabase(path, prepare=prepare_connection)
    index = SqlitePassageIndex(database)
    await index.open()
    return index, database.close


async def _nothing() -> None:
    """Lance holds nothing open that would have to be closed."""
