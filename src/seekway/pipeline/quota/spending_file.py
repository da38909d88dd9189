"""Spending in a SQLite file, which every gateway process of a machine may share.

SQLite and not a journal of our own: several processes add to the same sums, and it already survives a kill, a power cut and a full disk.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from seekway.core.errors import ConfigError, StorageFailed
from seekway.pipeline.quota.purses import PurseId
from seekway.storage.sql.write_ahead import until_free

_BUSY_S = 5.0
_SCHEMA = """
CREATE TABLE IF NOT EXISTS spending (
  owner TEXT NOT NULL, currency TEXT NOT NULL, period TEXT NOT NULL,
  nano INTEGER NOT NULL, changed INTEGER NOT NULL,
  PRIMARY KEY (owner, currency, period)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS spending_changed ON spending (changed);
CREATE INDEX IF NOT EXISTS spending_period ON spending (period);
"""
_LATEST = "SELECT coalesce(max(changed), 0) FROM spending"
_ADD = """
INSERT INTO spending (owner, currency, period, nano, changed) VALUES (?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET nano = nano + excluded.nano, changed = excluded.changed
"""


class SpendingFile:
    """Opens ``path``, made with its folder when missing; raises ``ConfigError`` when it cannot be used.

    Each change carries a number one above the last, by which a process finds what the others changed since it looked.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._seen = 0
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._db = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
            until_free(lambda: self._db.execute("PRAGMA journal_mode=WAL"), _is_busy, _BUSY_S)
            # With a write-ahead log only FULL has a commit on the disk when it returns.
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.executescript(_SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise ConfigError(f"What was spent cannot be kept in {path}: {error}.", param="quota.directory") from error

    def read(self, periods: Sequence[str]) -> Mapping[PurseId, int]:
        with self._lock:
            try:
                seen = self._db.execute(_LATEST).fetchone()[0]
                found: dict[PurseId, int] = {}
                for period in periods:
                    rows = self._db.execute(
                        "SELECT owner, currency, period, nano FROM spending WHERE period = ?", (period,)
                    )
                    found.update((PurseId(*names), nano) for *names, nano in rows)
                # What changes between the two questions is told again by the next addition.
                self._seen = seen
                return found
            except sqlite3.Error as error:
                raise StorageFailed(f"What was spent cannot be read: {error}.") from error

    def add(self, spent: Mapping[PurseId, int]) -> Mapping[PurseId, int]:
        with self._lock:
            try:
                if spent:
                    self._write(spent)
                return self._since(self._seen)
            except sqlite3.Error as error:
                raise StorageFailed(f"What was spent cannot be written: {error}.") from error

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def _write(self, spent: Mapping[PurseId, int]) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            change = self._db.execute(_LATEST).fetchone()[0] + 1
            self._db.executemany(_ADD, [(*purse_id, nano, change) for purse_id, nano in spent.items()])
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def _since(self, change: int) -> dict[PurseId, int]:
        rows = self._db.execute(
            "SELECT owner, currency, period, nano, changed FROM spending WHERE changed > ?", (change,)
        ).fetchall()
        self._seen = max((row[4] for row in rows), default=self._seen)
        return {PurseId(owner, currency, period): nano for owner, currency, period, nano, _ in rows}


def _is_busy(error: Exception) -> bool:
    # Errors of the module itself have no code.
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
