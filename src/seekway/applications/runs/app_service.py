"""The applications of this process: :class:`seekway.applications.service.Applications`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Final

from structlog.typing import FilteringBoundLogger

from seekway.applications.agents.agent import Agent
from seekway.applications.answers.annotation_replies import AnnotationReplies
from seekway.applications.answers.follow_ups import follow_ups
from seekway.applications.answers.titles import title
from seekway.applications.events import AppEvent
from seekway.applications.memory.summaries import Summaries, overflows
from seekway.applications.memory.window import spoken
from seekway.applications.ports import Models, Passages, Vectoriser
from seekway.applications.records import AppRecord, Conversation, Message, Turn
from seekway.applications.runs.attachments import Attachments, Reader
from seekway.applications.runs.background import Background
from seekway.applications.runs.compiled import CompiledApps
from seekway.applications.runs.model_request import request_id
from seekway.applications.runs.passages import KnowledgeLookup
from seekway.applications.runs.preparation import Preparation
from seekway.applications.runs.run import Opened, Run, RunParts
from seekway.applications.runs.stopping import Stopping
from seekway.applications.runs.users import Users
from seekway.applications.service import Asked
from seekway.applications.store.app_store import AppStore
from seekway.core.caller import Caller
from seekway.core.errors import InvalidRequest, Overloaded

LONGEST_S: Final = 1200.0
"""As long as Dify lets an application run."""

_LAST_S: Final = 5.0
"""For running answers to be kept when the process ends."""

_RECENT: Final = 3


class AppService:
    """To be closed, before the store is. Made within a running event loop.

    ``clock`` gives milliseconds since 1970, the store's own. ``reader`` None: documents cannot come with questions; ``vectoriser`` None: no annotation replies;
    ``agent`` None: no agents; ``look_s``: see :class:`seekway.applications.runs.stopping.Stopping`.
    """

    def __init__(
        self,
        store: AppStore,
        models: Models,
        passages: Passages,
        log: FilteringBoundLogger,
        *,
        clock: Callable[[], int],
        vectoriser: Vectoriser | None = None,
        reader: Reader | None = None,
        agent: Agent | None = None,
        longest_s: float = LONGEST_S,
        look_s: float | None = None,
    ) -> None:
        ticks = asyncio.get_running_loop().time
        self._store = store
        self.models = models
        self.compiled = CompiledApps()
        self._annotations = AnnotationReplies(store.annotations, vectoriser, log, ticks)
        self.preparation = Preparation(models, KnowledgeLookup(passages, ticks), self._annotations)
        self.agent = agent
        self._parts = RunParts(
            store,
            models,
            Users(store.conversations),
            self.preparation,
            Attachments(store.uploads, reader),
            self.compiled,
            agent,
            log,
            clock,
            longest_s,
        )
        self._summaries = Summaries(store, models)
        self._background = Background(log)
        self._running: dict[str, Run] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._stopping = Stopping(store.stops, self._running, log, look_s)
        self._closed = False

    @property
    def store(self) -> AppStore:
        return self._store

    @property
    def longest_s(self) -> float:
        return self._parts.longest_s

    async def ask(self, app: AppRecord, caller: Caller, asked: Asked, /) -> AsyncGenerator[AppEvent, None]:
        if self._closed:
            raise _stopping()
        run = Run(self._parts, app, caller, asked, self._after)
        # Not in a task group: it must keep what was said also when its reader goes; `close` ends it.
        task = asyncio.get_running_loop().create_task(run.drive())
        self._running[run.task], self._tasks[run.task] = run, task
        task.add_done_callback(lambda _: self._over(run.task))
        self._stopping.watch()
        try:
            async for event in run.outbox.read():
                yield event
        finally:
            if not task.done():
                if not run.outbox.over:
                    run.leave()
                # Whoever asks next finds what was said.
                await asyncio.shield(asyncio.wait((task,)))

    async def stop(self, app: AppRecord, task: str, session: str | None, /) -> None:
        await self._stopping.stop(app, task, session)

    async def follow_ups(self, app: AppRecord, caller: Caller, message: Message, /) -> list[str]:
        if not app.definition.follow_ups:
            raise InvalidRequest("Suggested Questions Is Disabled.")
        turns = [Turn(message.position, message.query, message.answer, message.reasoning)]
        if message.conversation:
            found = await self._store.messages.history(message.conversation, _RECENT, after=message.position - _RECENT)
            turns = [
                Turn(one.position, one.query, one.answer, one.reasoning)
                for one in found
                if one.position <= message.position
            ] or turns
        ask = self.compiled.of(app).ask
        return await follow_ups(self.models, ask, f"{message.id}-follow-ups", caller, [spoken(turn) for turn in turns])

    async def name(self, app: AppRecord, caller: Caller, conversation: Conversation, /) -> Conversation:
        name = await self._title(app, caller, conversation)
        return await self._store.conversations.rename(app.id, conversation.user, conversation.id, name)

    async def index_annotations(self, app: AppRecord, /) -> None:
        await self._annotations.index(app)

    async def settled(self) -> None:
        """Until nothing runs any more, in front and behind."""
        while self._tasks:
            await asyncio.wait(tuple(self._tasks.values()))
        await self._background.settled()

    async def close(self) -> None:
        """Take no more questions; running answers end, and what they said is kept."""
        self._closed = True
        for run in tuple(self._running.values()):
            run.stop(_stopping())
        tasks = tuple(self._tasks.values())
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=_LAST_S)
            for task in late:
                task.cancel()
            await asyncio.wait(tasks)
        await self._stopping.close()
        await self._background.close()

    def _over(self, task: str) -> None:
        self._running.pop(task, None)
        self._tasks.pop(task, None)

    def _after(self, run: Run, opened: Opened, message: Message, memory_tokens: float) -> None:
        """What is done behind a whole answer."""
        conversation = opened.conversation
        if conversation is None or self._closed:
            return
        app, caller = run.app, run.caller
        if opened.is_new and run.asked.auto_name:
            self._background.start("title", conversation.id, lambda: self._give_name(app, caller, conversation))
        if message.annotation or not memory_tokens:
            return
        turns = [spoken(one) for one in (*opened.turns, _turn(message))]
        if overflows(app.definition.memory, turns, memory_tokens):
            ask = opened.compiled.ask
            self._background.start(
                "summary",
                conversation.id,
                lambda: self._summaries.catch_up(app, ask, caller, message.user, conversation.id, memory_tokens),
            )

    async def _give_name(self, app: AppRecord, caller: Caller, conversation: Conversation) -> None:
        name = await self._title(app, caller, conversation)
        known = await self._store.conversations.conversation(app.id, conversation.user, conversation.id)
        # The user may have found a name himself by now.
        if known.name == conversation.name:
            await self._store.conversations.rename(app.id, conversation.user, conversation.id, name)

    async def _title(self, app: AppRecord, caller: Caller, conversation: Conversation) -> str:
        query = await self._store.messages.first_query(conversation.id)
        asked = request_id(f"{conversation.id}-title", app.slug)
        return await title(self.models, self.compiled.of(app).ask, asked, caller, query)


def _turn(message: Message) -> Turn:
    return Turn(message.position, message.query, message.answer, message.reasoning)


def _stopping() -> Overloaded:
    return Overloaded("This gateway is stopping; send the question again.", retry_after_s=1)
