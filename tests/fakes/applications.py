"""Applications that answer by a script, over a real store: questions and answers are kept as the real ones keep them."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncGenerator, Sequence

import msgspec

from seekway.applications.definition import Definition, Mode
from seekway.applications.events import AnswerDelta, AppEvent, Began, Ended, FileGiven, ReasoningDelta, ThoughtChanged
from seekway.applications.records import AppRecord, Conversation, Cost, Message, MessageFile, Source, Thought
from seekway.applications.service import Asked
from seekway.applications.store.app_store import AppStore
from seekway.core.caller import Caller
from seekway.core.errors import SeekwayError

COST = Cost(7, 3, "0.15", "0.6", "0.000001", "0.00000105", "0.0000018", "0.00000285", "USD", 0.25)
SOURCE = Source(1, "d-1", "Handbook", "doc-1", "returns.md", "s-1", 4, 0.75, "Thirty days.", 2, 5, {"page": 3})
SHARED = "DEFAULT-USER"

Step = AppEvent | SeekwayError | asyncio.Event
"""What an answer does next; an event is waited for."""


def an_app(mode: Mode = "chat", slug: str = "helper", tenant: str = "", **fields: object) -> AppRecord:
    definition = msgspec.convert({"mode": mode, **fields}, Definition)
    return AppRecord(
        tenant, "", slug, slug.title(), definition, "Helps.", "🤖", icon_background="#FFF", tags=("shop",), author="Ann"
    )


class FakeApplications:
    """``script`` is what comes between the beginning and the end of every answer. ``refusal`` is raised before anything."""

    def __init__(self, store: AppStore, script: Sequence[Step] = (AnswerDelta("Hel"), AnswerDelta("lo"))) -> None:
        self._store = store
        self.script = script
        self.refusal: SeekwayError | None = None
        self.sources: tuple[Source, ...] = ()
        self.annotation = ""
        self.asked: list[tuple[AppRecord, Caller, Asked]] = []
        self.stopped: list[tuple[str, str, str | None]] = []
        self.closed = 0
        """How many answers were left before their end."""
        self.working, self.ended = asyncio.Event(), asyncio.Event()
        self.indexed: list[AppRecord] = []
        self.index_gate: asyncio.Event | None = None
        self.index_error: SeekwayError | None = None

    @property
    def store(self) -> AppStore:
        return self._store

    def script_of(self, app: AppRecord) -> Sequence[Step]:
        return self.script

    async def ask(self, app: AppRecord, caller: Caller, asked: Asked, /) -> AsyncGenerator[AppEvent, None]:
        self.asked.append((app, caller, asked))
        if self.refusal is not None:
            raise self.refusal
        message, conversation = await self._question(app, asked)
        message = await self._store.messages.begin(message, conversation)
        whole = False
        thoughts: list[Thought] = []
        files = list(message.files)
        answer, reasoning = "", ""
        try:
            yield Began(str(uuid.uuid4()), message.id, message.conversation, message.created_at)
            self.working.set()
            for step in self.script_of(app):
                if isinstance(step, SeekwayError):
                    raise step
                if isinstance(step, asyncio.Event):
                    await step.wait()
                    continue
                match step:
                    case AnswerDelta(text):
                        answer += text
                    case ReasoningDelta(text):
                        reasoning += text
                    case ThoughtChanged(thought):
                        step = ThoughtChanged(msgspec.structs.replace(thought, message=message.id))
                        thoughts = [*(one for one in thoughts if one.id != thought.id), step.thought]
                    case FileGiven(file):
                        files.append(file)
                    case _:
                        pass
                yield step
            message = msgspec.structs.replace(
                message,
                answer=answer,
                reasoning=reasoning,
                status="normal",
                files=tuple(files),
                sources=self.sources,
                annotation=self.annotation,
                cost=COST,
                model="fake",
            )
            yield Ended(await self._store.messages.end(message, thoughts))
            whole = True
        finally:
            self.closed += not whole
            self.ended.set()

    async def stop(self, app: AppRecord, task: str, session: str | None, /) -> None:
        self.stopped.append((app.slug, task, session))

    async def follow_ups(self, app: AppRecord, caller: Caller, message: Message, /) -> list[str]:
        return [f"What of {message.query}?"]

    async def name(self, app: AppRecord, caller: Caller, conversation: Conversation, /) -> Conversation:
        return await self._store.conversations.rename(app.id, conversation.user, conversation.id, "A fine name")

    async def index_annotations(self, app: AppRecord, /) -> None:
        self.indexed.append(app)
        if self.index_gate is not None:
            await self.index_gate.wait()
        if self.index_error is not None:
            raise self.index_error

    async def _question(self, app: AppRecord, asked: Asked) -> tuple[Message, Conversation | None]:
        anonymous = asked.session is None
        user = await self._store.conversations.user(app.tenant, app.id, asked.session or SHARED, anonymous=anonymous)
        now = self._store.clock()
        conversation, made = "", None
        if app.definition.mode != "completion":
            if asked.conversation is None:
                made = Conversation(app.id, str(uuid.uuid4()), user.id, asked.query, asked.inputs, created_at=now)
                made = msgspec.structs.replace(made, updated_at=now)
                conversation = made.id
            else:
                found = await self._store.conversations.conversation(app.id, user.id, asked.conversation)
                conversation = found.id
        files = tuple(
            MessageFile(str(uuid.uuid4()), file.kind, file.method, file.url, file.upload) for file in asked.files
        )
        message = Message(
            app.id,
            conversation,
            str(uuid.uuid4()),
            user.id,
            0,
            asked.query,
            asked.inputs,
            files=files,
            created_at=now,
        )
        return message, made
