"""One question to an application, from its checks to the record on disk, in a task of its own.

A reader that goes away ends the work of the model, never the keeping of what it said.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from structlog.typing import FilteringBoundLogger

from seekway.applications.agents.agent import Agent, AgentTask
from seekway.applications.answers.titles import UNNAMED, first_words
from seekway.applications.events import AnswerDelta, Began, Ended
from seekway.applications.memory.window import turn_tokens
from seekway.applications.ports import Models
from seekway.applications.records import AppRecord, Conversation, Message, MessageStatus, Thought, Turn
from seekway.applications.runs.answer_shape import AnswerShape
from seekway.applications.runs.attachments import Attached, Attachments
from seekway.applications.runs.compiled import CompiledApp, CompiledApps
from seekway.applications.runs.cost import Tally
from seekway.applications.runs.form import filled_form, form_texts, plain_text
from seekway.applications.runs.model_request import request_id
from seekway.applications.runs.outbox import Outbox
from seekway.applications.runs.preparation import Given, Preparation, Question, Ready
from seekway.applications.runs.speech import Speech
from seekway.applications.runs.template import Template
from seekway.applications.runs.users import Users
from seekway.applications.service import Asked
from seekway.applications.store.app_store import AppStore
from seekway.core.caller import Caller
from seekway.core.errors import AppUnavailable, DeadlineExceeded, InvalidRequest, SeekwayError, unforeseen

FIRST_READ: Final = 64
"""Turns that are read with a conversation: mostly all that fit, and with a summary all there are."""


@dataclass(frozen=True, slots=True)
class RunParts:
    """What all runs share. ``clock`` gives milliseconds since 1970; ``longest_s`` is how long a run may take."""

    store: AppStore
    models: Models
    users: Users
    preparation: Preparation
    attachments: Attachments
    compiled: CompiledApps
    agent: Agent | None
    log: FilteringBoundLogger
    clock: Callable[[], int]
    longest_s: float


@dataclass(frozen=True, slots=True)
class Opened:
    """A question that was found to be good. ``conversation`` None: a text generator's; ``is_new`` says that nothing of it is kept yet."""

    compiled: CompiledApp
    message: Message
    conversation: Conversation | None
    is_new: bool
    turns: tuple[Turn, ...]
    attached: Attached


class Run:
    """``after`` is called with what was opened and kept, and the tokens that the conversation might take of a prompt, when an answer is whole."""

    def __init__(
        self,
        parts: RunParts,
        app: AppRecord,
        caller: Caller,
        asked: Asked,
        after: Callable[[Run, Opened, Message, float], None],
    ) -> None:
        self._parts = parts
        self.app = app
        self.caller = caller
        self.asked = asked
        self.task = str(uuid.uuid4())
        self.session = asked.session
        self.outbox = Outbox()
        self._after = after
        self._loop = asyncio.get_running_loop()
        self._started = self._loop.time()
        self._bound: asyncio.Timeout | None = None
        self._stopped = False
        self._why: SeekwayError | None = None
        self._shape = AnswerShape(app.definition.thoughts, None)
        self._speech: Speech | None = None
        self._ready: Ready | None = None
        self._given: Given | None = None

    def stop(self, why: SeekwayError | None = None) -> None:
        """End the answer with what there is; with ``why``, as one that failed."""
        if self._stopped:
            return
        self._stopped, self._why = True, why
        if self._bound is not None:
            self._bound.reschedule(self._loop.time())

    def leave(self) -> None:
        """The reader is gone."""
        self.outbox.abandon()
        self.stop()

    async def drive(self) -> None:
        try:
            await self._run()
        except SeekwayError as error:
            self.outbox.end(error)
        except Exception as error:
            failure = unforeseen(error)
            self._parts.log.error("application_run_failed", app=self.app.slug, exc_info=error)
            self.outbox.end(failure)
        finally:
            self.outbox.end(unforeseen(asyncio.CancelledError()))

    async def _run(self) -> None:
        opened = await self._open()
        message = opened.message
        self.outbox.put(Began(self.task, message.id, message.conversation, message.created_at))
        self._shape = AnswerShape(self.app.definition.thoughts, opened.compiled.words)
        try:
            async with asyncio.TaskGroup() as group:
                # Kept while the model is asked. Where it cannot be kept, the answer is not wanted either.
                begin = group.create_task(self._begin(opened))
                error = await self._answer(opened)
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from failed
        kept = await self._keep(begin.result(), opened, error)
        if error is not None:
            raise error
        self.outbox.put(Ended(kept))
        self.outbox.end()
        self._after(self, opened, kept, 0.0 if self._ready is None else self._ready.memory_tokens)

    async def _open(self) -> Opened:
        """Raises what is wrong with the question."""
        app, asked, parts = self.app, self.asked, self._parts
        definition = app.definition
        compiled = parts.compiled.of(app)
        if definition.mode == "agent-chat" and parts.agent is None:
            raise AppUnavailable("Agents cannot be run here; choose an application without one.")
        is_chat = definition.mode != "completion"
        query = plain_text(asked.query)
        if is_chat and not query.strip():
            raise InvalidRequest("query is required", param="query")
        user = await parts.users.id_of(app, self.session)
        if is_chat and asked.conversation is not None:
            conversation, turns = await self._recall(user, asked.conversation)
            is_new, inputs = False, conversation.inputs
        else:
            inputs, turns, is_new = filled_form(definition.form, asked.inputs), list[Turn](), True
            conversation = self._conversation(user, query, inputs) if is_chat else None
        if not is_chat and not query:
            query = _query_of(asked.inputs)
        attached = await parts.attachments.load(app.id, user, definition, asked.files, inputs)
        message = Message(
            app.id,
            "" if conversation is None else conversation.id,
            str(uuid.uuid4()),
            user,
            0,
            query,
            inputs,
            files=attached.files,
            model=definition.model.name,
            created_at=parts.clock(),
        )
        return Opened(compiled, message, conversation, is_new, tuple(turns), attached)

    async def _recall(self, user: str, conversation: str) -> tuple[Conversation, list[Turn]]:
        """Few turns at first, for they mostly fill the memory; the others where they do not."""
        memory, messages = self.app.definition.memory, self._parts.store.messages
        limit = min(FIRST_READ, memory.max_messages)
        known, turns = await messages.recall(self.app.id, user, conversation, limit)
        if limit == len(turns) < memory.max_messages and sum(map(turn_tokens, turns)) < memory.max_tokens:
            known, turns = await messages.recall(self.app.id, user, conversation, memory.max_messages)
        return known, turns

    def _conversation(self, user: str, query: str, inputs: dict[str, Any]) -> Conversation:
        definition = self.app.definition
        now = self._parts.clock()
        introduction = definition.opening_statement
        if introduction:
            introduction = Template(introduction).fill(form_texts(definition.form, inputs))
        name = first_words(query) if self.asked.auto_name else UNNAMED
        return Conversation(
            self.app.id, str(uuid.uuid4()), user, name, inputs, introduction, created_at=now, updated_at=now
        )

    async def _begin(self, opened: Opened) -> Message:
        return await self._parts.store.messages.begin(opened.message, opened.conversation if opened.is_new else None)

    async def _answer(self, opened: Opened) -> SeekwayError | None:
        """What the answer failed with; whatever was said by then is in the shape."""
        error: SeekwayError | None = None
        try:
            async with asyncio.timeout_at(self._started + self._parts.longest_s) as self._bound:
                if self._stopped:
                    self._bound.reschedule(self._loop.time())
                await self._speak(opened)
        except TimeoutError as late:
            if self._stopped:
                error = self._why
            elif self._bound is not None and self._bound.expired():
                error = DeadlineExceeded(f"The answer took longer than {self._parts.longest_s:g} s.")
            else:
                error = unforeseen(late)
        except SeekwayError as failure:
            error = failure
        except Exception as failure:
            self._parts.log.error("application_run_failed", app=self.app.slug, exc_info=failure)
            error = unforeseen(failure)
        finally:
            self._bound = None
        if self._speech is not None:
            try:
                self._speech.end()
            except SeekwayError as failure:
                error = error or failure
        return error

    async def _speak(self, opened: Opened) -> None:
        parts, message = self._parts, opened.message
        question = Question(
            self.app,
            opened.compiled,
            request_id(message.id, self.app.slug),
            self.session,
            message.query,
            message.inputs,
            opened.turns,
            "" if opened.conversation is None else opened.conversation.summary,
            opened.attached,
            stream=not self.asked.blocking,
            deadline_s=self._left_s(),
        )
        ready = await parts.preparation.prepare(question)
        if isinstance(ready, Given):
            self._given = ready
            if ready.answer:
                self.outbox.put(AnswerDelta(ready.answer))
            return
        self._ready = ready
        speech = self._speech = Speech(self._shape, opened.compiled.words, self.outbox.put, self.outbox.room)
        if self.app.definition.mode == "agent-chat" and parts.agent is not None:
            task = AgentTask(
                self.app,
                self.caller,
                message.id,
                ready.request,
                message.query,
                self.session or "",
                self._started + parts.longest_s,
            )
            await speech.of_agent(ready.request, parts.agent.run(task))
        else:
            await speech.of_model(ready.request, parts.models.generate(ready.request, self.caller))

    async def _keep(self, begun: Message, opened: Opened, error: SeekwayError | None) -> Message:
        status: MessageStatus = "normal"
        if error is not None:
            status = "error"
        elif self._stopped:
            status = "stopped"
        tally = Tally() if self._speech is None else self._speech.tally
        price = self._parts.models.price(self.app.definition.model.name) if tally.seen else None
        given = self._given
        message = msgspec.structs.replace(
            begun,
            answer=self._shape.answer if given is None else given.answer,
            reasoning=self._shape.reasoning,
            status=status,
            error="" if error is None else error.message,
            cost=tally.cost(price, self._loop.time() - self._started),
            annotation="" if given is None else given.annotation,
        )
        thoughts: tuple[Thought, ...] = ()
        if self._ready is not None and self._speech is not None:
            found = self._speech.sources if self.app.definition.citations else []
            message = msgspec.structs.replace(
                message,
                sources=(*self._ready.sources, *found),
                files=(*begun.files, *self._speech.files),
            )
            thoughts = tuple(self._speech.thoughts.values())
        return await self._parts.store.messages.end(message, thoughts)

    def _left_s(self) -> float:
        return max(0.001, self._started + self._parts.longest_s - self._loop.time())


def _query_of(inputs: dict[str, Any]) -> str:
    """A text generator's question usually is one of its variables."""
    value = inputs.get("query")
    return plain_text(value) if isinstance(value, str) else ""
