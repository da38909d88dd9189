"""The applications of a process, put together from the settings."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from structlog.typing import FilteringBoundLogger

from seekway.app.app_state import RECORDS, app_store
from seekway.app.application_files import ApplicationFiles
from seekway.app.state import State, milliseconds
from seekway.applications.agents.work import ToolAgent
from seekway.applications.app_backend import AppBackend
from seekway.applications.runs.app_service import AppService
from seekway.applications.runs.passages import KnowledgeLookup
from seekway.applications.runs.stopping import LOOK_S
from seekway.applications.tools.toolbox import Toolbox
from seekway.core.errors import NotFound, SeekwayError
from seekway.core.settings import Settings, tool_secrets
from seekway.core.types import ModelInfo
from seekway.gateway.app_models import AppModels
from seekway.gateway.front import Front
from seekway.knowledge.knowledge_base import KnowledgeBase
from seekway.knowledge.parsing.reader_process import DocumentReader
from seekway.knowledge.retrieval.retriever import Citation, Retrieval
from seekway.pipeline.directory import Member
from seekway.pipeline.quota.prices import PriceTable

MEMBER: Final = "applications"
"""What the applications are called among the gateway's backends."""

_BROKEN_OFF: Final = "The gateway ended before the answer was whole; send the question again."


class Applications:
    """``service`` is for whoever asks, ``member`` makes models of the applications. Nothing is opened before it is asked for.

    ``front`` and ``prices`` give those in force.
    Raises ``ConfigError`` where PostgreSQL is named and its driver is not installed.
    """

    def __init__(
        self,
        settings: Settings,
        config: Path | None,
        front: Callable[[], Front],
        prices: Callable[[], PriceTable],
        knowledge: KnowledgeBase | None,
        log: FilteringBoundLogger,
    ) -> None:
        state, ticks = State(settings.storage, config), asyncio.get_running_loop().time
        self._log = log
        self._store = app_store(settings.storage, config)
        self._reader = DocumentReader()
        models = AppModels(front, prices, time.time)
        passages = _Passages(knowledge)
        find = KnowledgeLookup(passages, ticks).sources
        self._toolbox = Toolbox(settings.tools, tool_secrets, find, time.time, log)
        self.service = AppService(
            self._store,
            models,
            passages,
            log,
            clock=milliseconds,
            vectoriser=None if knowledge is None else _Vectoriser(knowledge),
            reader=self._reader,
            agent=ToolAgent(models, self._toolbox, time.time),
            look_s=LOOK_S if settings.gateway.workers > 1 or settings.storage.url is not None else None,
        )
        self._there = lambda: state.there(RECORDS)
        self.member = Member(MEMBER, _Backend(self.service, ticks, self._there), stands_in=False)
        self._files = ApplicationFiles(
            settings.applications.files,
            config,
            self._store,
            None if knowledge is None else knowledge.book,
            tools=[tool.name for tool in settings.tools],
            reranks=knowledge is not None and knowledge.reranks,
            # At the start not every backend has said what it has: a name is taken as it stands.
            models=lambda: None,
            expected=frozenset((source.tenant, source.name) for source in settings.knowledge.sources),
            tell=self._tell,
        )

    async def run(self) -> None:
        """End what a process before this one left unfinished, and follow the files of the settings, until cancelled."""
        await self._break_off()
        await self._files.run()

    async def _break_off(self) -> None:
        """Answers that another process is giving right now are set right when they end."""
        if not self._there():
            return
        try:
            ended = await self._store.messages.break_off_running(_BROKEN_OFF)
        except SeekwayError as error:
            self._log.warning("unfinished_answers_left", error=error.message)
            return
        if ended:
            self._log.warning("unfinished_answers_ended", answers=ended)

    async def end(self) -> None:
        """Take no more questions; while models can still be asked."""
        await self.service.close()

    def _tell(self, event: str, about: Mapping[str, str]) -> None:
        whole = event == "application_read" and "changes" not in about
        (self._log.info if whole else self._log.warning)(event, **about)

    async def close(self) -> None:
        """After the last question."""
        await self._toolbox.close()
        await self._reader.close()
        await self._store.close()


class _Backend(AppBackend):
    """Without a database there are no applications, and none is made to find that out."""

    def __init__(self, service: AppService, clock: Callable[[], float], there: Callable[[], bool]) -> None:
        super().__init__(service, clock)
        self._there = there

    async def models(self) -> tuple[ModelInfo, ...]:
        return await super().models() if self._there() else ()


class _Passages:
    """:class:`seekway.applications.ports.Passages`."""

    def __init__(self, knowledge: KnowledgeBase | None) -> None:
        self._knowledge = knowledge

    async def retrieve(
        self, tenant: str, datasets: Sequence[str], query: str, how: Retrieval, /
    ) -> tuple[Citation, ...]:
        return await self._base().retrieve(tenant, datasets, query, how)

    async def has_vectors(self, tenant: str, datasets: Sequence[str], /) -> bool:
        book = self._base().book
        return all([(await book.dataset(tenant, dataset)).embedding_model for dataset in datasets])

    def _base(self) -> KnowledgeBase:
        if self._knowledge is None:
            raise NotFound("There are no knowledge bases here; set knowledge.enabled = true.", param="datasets")
        return self._knowledge


class _Vectoriser:
    """:class:`seekway.applications.ports.Vectoriser`."""

    def __init__(self, knowledge: KnowledgeBase) -> None:
        self._knowledge = knowledge

    async def embed_question(self, text: str, model: str, /) -> bytes:
        vectors = await self._knowledge.embedder(model or self._knowledge.embedding_model).embed((text,), "query")
        return np.ascontiguousarray(vectors[0], "<f4").tobytes()
