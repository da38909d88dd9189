"""Applications by their names, as they were a moment ago: they are read for every question and change seldom."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from seekway.applications.records import AppRecord
from seekway.applications.store.apps import AppRows

_FRESH_S: Final = 1.0
_MOST_KNOWN: Final = 1000


class AppLookup:
    """``clock`` goes in seconds. A change is seen a second later at most, also one that another process made."""

    def __init__(self, apps: AppRows, clock: Callable[[], float]) -> None:
        self._apps = apps
        self._clock = clock
        self._known: dict[tuple[str, str], tuple[float, AppRecord]] = {}

    async def by_slug(self, tenant: str, slug: str) -> AppRecord:
        """Raises ``NotFound``."""
        key, now = (tenant, slug), self._clock()
        known = self._known.get(key)
        if known is not None and now - known[0] < _FRESH_S:
            return known[1]
        self._known.pop(key, None)
        app = await self._apps.by_slug(tenant, slug)
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[key] = (now, app)
        return app
