"""A knowledge base for one command: the files of the gateway's, with models of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from seekway.app.knowledge import Knowledge
from seekway.catalog.resolve import spec_of_embedding
from seekway.core.ports import Backend
from seekway.core.sections.backends import BackendSettings
from seekway.core.settings import Settings, read_secret
from seekway.engine.loading import load_local_model
from seekway.engine.spec import EMBEDDING_MODEL
from seekway.pipeline.directory import BackendDirectory, Member


class OwnModels:
    """The default embedding model, loaded in this process when it is first asked for, and whatever the backends of the settings serve."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._local: Backend | None = None
        self._loading = asyncio.Lock()
        self._others: BackendDirectory | None = None

    async def find(self, name: str) -> tuple[Backend, str]:
        name = self._settings.aliases.get(name, name)
        if name == EMBEDDING_MODEL:
            async with self._loading:
                if self._local is None:
                    self._local = await load_local_model(spec_of_embedding(), lambda step, share: None)
            return self._local, name
        if self._others is None:
            self._others = BackendDirectory([_member(backend) for backend in self._settings.backends])
        await self._others.refresh()
        route = await self._others.route(name)
        return route.member.backend, route.name

    async def close(self) -> None:
        if self._local is not None:
            await self._local.close()
        for member in self._others.members if self._others is not None else ():
            await member.backend.close()


@asynccontextmanager
async def knowledge_desk(
    settings: Settings, config: Path | None, *, indexes: bool = False
) -> AsyncGenerator[Knowledge]:
    """With ``indexes`` it also indexes what waits, when no other process does."""
    models = OwnModels(settings)
    # Sources are the gateway's to follow.
    settings = msgspec.structs.replace(settings, knowledge=msgspec.structs.replace(settings.knowledge, sources=()))
    # What goes wrong with a document stands with the document.
    knowledge = Knowledge(settings, config, models.find, lambda event, about: None)
    try:
        if indexes:
            async with asyncio.TaskGroup() as group:
                running = group.create_task(knowledge.run())
                yield knowledge
                running.cancel()
        else:
            yield knowledge
    except BaseExceptionGroup as error:
        raise error.exceptions[0] from None
    finally:
        await knowledge.close()
        await models.close()


def _member(settings: BackendSettings) -> Member:
    from seekway.engine.upstream.backend import UpstreamBackend

    key = read_secret(settings.api_key_env, settings.api_key_file)
    return Member(settings.name, UpstreamBackend(settings, key), settings.kind)
