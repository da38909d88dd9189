"""A service over SQLite with scripted models."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import structlog
from structlog.typing import FilteringBoundLogger

from seekway.applications.agents.agent import Agent
from seekway.applications.definition import Definition
from seekway.applications.events import AnswerDelta, AnswerReplaced, AppEvent, Began, Ended
from seekway.applications.records import AppRecord, Message
from seekway.applications.runs.app_service import AppService
from seekway.applications.runs.attachments import Reader
from seekway.applications.service import Asked
from seekway.applications.store.app_store import AppStore
from seekway.core.caller import Caller
from seekway.storage.sql.sqlite import SqliteDatabase
from tests.fakes.app_models import FakeModels, FakePassages, FakeVectoriser

CALLER = Caller("key", "")


class House:
    def __init__(self, path: Path) -> None:
        self.database = SqliteDatabase(path / "applications.sqlite")
        self.clock = itertools.count(1_000).__next__
        self.store = AppStore(self.database, self.clock)
        self.models = FakeModels()
        self.passages = FakePassages()
        self.vectoriser = FakeVectoriser()
        self.log: FilteringBoundLogger = structlog.get_logger()
        self.service: AppService

    async def open(
        self,
        *,
        reader: Reader | None = None,
        agent: Agent | None = None,
        longest_s: float = 60.0,
        look_s: float | None = None,
    ) -> None:
        await self.store.open()
        self.service = AppService(
            self.store,
            self.models,
            self.passages,
            self.log,
            clock=self.clock,
            vectoriser=self.vectoriser,
            reader=reader,
            agent=agent,
            longest_s=longest_s,
            look_s=look_s,
        )

    async def app(self, definition: Definition, slug: str = "helper", tenant: str = "") -> AppRecord:
        return await self.store.apps.create(AppRecord(tenant, "", slug, slug, definition))

    async def ask(self, app: AppRecord, query: str = "Hi?", **more: Any) -> list[AppEvent]:
        return [event async for event in self.service.ask(app, CALLER, Asked(query, session="u", **more))]

    async def answer(self, app: AppRecord, query: str = "Hi?", **more: Any) -> Message:
        """As it is kept, and as it was told."""
        events = await self.ask(app, query, **more)
        ended = events[-1]
        assert isinstance(ended, Ended)
        assert isinstance(events[0], Began)
        kept = await self.store.messages.message(app.id, ended.message.user, ended.message.id)
        assert kept == ended.message
        return kept

    async def close(self) -> None:
        await self.service.close()
        await self.store.close()


def shown(events: Sequence[AppEvent]) -> str:
    """What a reader sees in the end."""
    text = ""
    for event in events:
        if isinstance(event, AnswerDelta):
            text += event.text
        elif isinstance(event, AnswerReplaced):
            text = event.text
    return text
