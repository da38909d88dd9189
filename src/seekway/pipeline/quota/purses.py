"""What was spent, by whose money and in which period: known in memory, kept in a store behind."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from seekway.core.errors import StorageFailed


class PurseId(NamedTuple):
    """``period`` is a date such as ``2026-11-22``, a month such as ``2026-11``, or ``total``."""

    owner: str
    currency: str
    period: str


class SpendingStore(Protocol):
    """Keeps spending; called from one thread at a time, never the event loop's."""

    def read(self, periods: Sequence[str], /) -> Mapping[PurseId, int]:
        """What was spent in these periods, in billionths; raises ``StorageFailed``."""
        ...

    def add(self, spent: Mapping[PurseId, int], /) -> Mapping[PurseId, int]:
        """Add these, all or none; what is returned has them on the disk, and is the new sums of these and of what other processes changed.

        Raises ``StorageFailed``; nothing was added then.
        """
        ...

    def close(self) -> None: ...


class Purse:
    """``spent`` is the sum as far as known here, ``unsaved`` the part of it that the store does not have yet; in billionths."""

    __slots__ = ("id", "spent", "unsaved")

    def __init__(self, purse_id: PurseId, spent: int) -> None:
        self.id = purse_id
        self.spent = spent
        self.unsaved = 0


class Purses:
    """Spending is added in memory and written in batches, every ``flush_s`` by whoever holds this: no more is lost to a kill, and nothing to a close.

    While the store fails, spending is still counted and kept for the next try.
    """

    def __init__(self, store: SpendingStore, *, flush_s: float = 1.0) -> None:
        self._store = store
        self.flush_s = flush_s
        self._known: dict[PurseId, int] = {}
        self._open: dict[PurseId, Purse] = {}
        self._dirty: dict[PurseId, Purse] = {}
        self._writing = asyncio.Lock()
        self.failures = 0
        self.last_failure = ""

    def purse(self, purse_id: PurseId) -> Purse:
        purse = self._open.get(purse_id)
        if purse is None:
            # One of a day that has come again may still hold what could not be written.
            purse = self._dirty.get(purse_id) or Purse(purse_id, self._known.get(purse_id, 0))
            self._open[purse_id] = purse
        return purse

    def spend(self, purse: Purse, cost: int) -> None:
        purse.spent += cost
        purse.unsaved += cost
        self._dirty[purse.id] = purse

    def begin(self, periods: Sequence[str]) -> None:
        """From now on purses are of these periods; those of others are forgotten once they are written, and stay in the store."""
        kept = frozenset(periods)
        self._open = {purse_id: purse for purse_id, purse in self._open.items() if purse_id.period in kept}
        try:
            self._known = dict(self._store.read(periods))
        except StorageFailed as error:
            # The next flush that succeeds brings what is missing now.
            self._failed(error)
            self._known = {purse_id: spent for purse_id, spent in self._known.items() if purse_id.period in kept}

    async def flush(self) -> None:
        """Write what is unsaved and learn what other processes spent; a failure is counted and kept in ``last_failure``, not raised.

        A cancelled flush still waits for its write: what became of it must be known.
        """
        async with self._writing:
            purses, self._dirty = tuple(self._dirty.values()), {}
            written = {purse.id: purse.unsaved for purse in purses}
            for purse in purses:
                purse.unsaved = 0
            job = asyncio.ensure_future(asyncio.to_thread(self._store.add, written))
            cancelled: asyncio.CancelledError | None = None
            while not job.done():
                try:
                    await asyncio.wait([job])
                except asyncio.CancelledError as error:
                    cancelled = error
            try:
                self._learn(job.result())
            except StorageFailed as error:
                self._failed(error)
                for purse in purses:
                    purse.unsaved += written[purse.id]
                    self._dirty[purse.id] = purse
            if cancelled is not None:
                raise cancelled

    def unwritten(self) -> tuple[Purse, ...]:
        """Those with something that the store does not have."""
        return tuple(self._dirty.values())

    async def close(self) -> None:
        """Write the rest and close the store; what could not be written is in :meth:`unwritten`."""
        await self.flush()
        await asyncio.to_thread(self._store.close)

    def _learn(self, sums: Mapping[PurseId, int]) -> None:
        self.last_failure = ""
        self._known.update(sums)
        for purse_id, spent in sums.items():
            if (purse := self._open.get(purse_id)) is not None:
                purse.spent = spent + purse.unsaved

    def _failed(self, error: StorageFailed) -> None:
        self.failures += 1
        self.last_failure = error.message
