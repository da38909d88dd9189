"""End users' ids by the names that callers give them."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from seekway.applications.records import AppRecord
from seekway.applications.store.conversations import ConversationRows

SHARED: Final = "DEFAULT-USER"
"""Dify's name for the user whom nobody named."""

_KEPT: Final = 10_000


class Users:
    """Remembers whom it has seen: an id never changes, and goes only with its application."""

    def __init__(self, conversations: ConversationRows) -> None:
        self._conversations = conversations
        self._known: OrderedDict[tuple[str, str], str] = OrderedDict()

    async def id_of(self, app: AppRecord, session: str | None) -> str:
        """Made where it is new."""
        key = (app.id, session or SHARED)
        known = self._known.get(key)
        if known is None:
            user = await self._conversations.user(app.tenant, app.id, key[1], anonymous=session is None)
            known = self._known[key] = user.id
            if len(self._known) > _KEPT:
                self._known.popitem(last=False)
        else:
            self._known.move_to_end(key)
        return known
