"""Every application as a model, ``app:<slug>``: whatever dialect a client speaks, it can ask one.

Nothing is kept: the messages that come are the conversation. Form variables come in the request's parameter ``inputs``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from typing import Any, Final, cast

from seekway.applications import events as app_events
from seekway.applications.agents.agent import AgentTask
from seekway.applications.app_lookup import AppLookup
from seekway.applications.records import AppRecord, Turn
from seekway.applications.runs.answer_shape import AnswerShape
from seekway.applications.runs.app_service import AppService
from seekway.applications.runs.attachments import Attached
from seekway.applications.runs.form import filled_form
from seekway.applications.runs.model_request import asking_apps, request_id
from seekway.applications.runs.outbox import Outbox
from seekway.applications.runs.preparation import Given, Question
from seekway.applications.runs.speech import Speech
from seekway.core.caller import Caller
from seekway.core.errors import (
    AppUnavailable,
    DeadlineExceeded,
    InvalidRequest,
    ModelNotFound,
    NotFound,
    SeekwayError,
    UnsupportedParameter,
    unforeseen,
)
from seekway.core.types import (
    EmbedRequest,
    EmbedResult,
    Event,
    Finish,
    GenerateRequest,
    ImagePart,
    Message,
    ModelInfo,
    ReasoningDelta,
    Replacement,
    RerankRequest,
    RerankResult,
    TextDelta,
    TextPart,
    TokenCount,
)
from seekway.pipeline.quota.estimate import prompt_tokens

PREFIX: Final = "app:"
_DEEPEST: Final = 3


class AppBackend:
    """A :class:`seekway.core.ports.Backend` of the applications without a tenant; ``clock`` goes in seconds.

    Behind the gateway's other backends, so that none of these becomes its default model.
    Model calls of applications are made as a caller of their own, ``app:<slug>``: whoever asks for the application is held to limits and budgets where he asks for it.
    """

    def __init__(self, service: AppService, clock: Callable[[], float]) -> None:
        self._service = service
        self._lookup = AppLookup(service.store.apps, clock)

    async def generate(self, request: GenerateRequest) -> AsyncGenerator[Event, None]:
        app = await self._app(request.model)
        _check(app, request)
        answer = _Answer(self._service, app, request)
        # Not in a task group: a generator may be closed from another task; it is ended below.
        task = asyncio.get_running_loop().create_task(answer.drive())
        try:
            async for event in answer.outbox.read():
                if (shown := _canonical(event)) is not None:
                    yield shown
            for last in answer.last_events():
                yield last
        finally:
            task.cancel()
            await asyncio.wait((task,))

    async def embed(self, request: EmbedRequest) -> EmbedResult:
        raise _chats_only()

    async def rerank(self, request: RerankRequest) -> RerankResult:
        raise _chats_only()

    async def count_tokens(self, request: GenerateRequest) -> TokenCount:
        """What the application adds is not among them."""
        await self._app(request.model)
        return TokenCount(prompt_tokens(request), exact=False)

    async def models(self) -> tuple[ModelInfo, ...]:
        apps = await self._service.store.apps.all("")
        return tuple([_info(app) for app in apps if app.enabled])

    async def close(self) -> None:
        """The service is its maker's."""

    async def _app(self, model: str) -> AppRecord:
        try:
            return await self._lookup.by_slug("", model.partition("@")[0].removeprefix(PREFIX))
        except NotFound as error:
            raise ModelNotFound(f"There is no model {model!r}; ask for one of /v1/models.", param="model") from error


class _Answer:
    """One question's way, without anything that is kept."""

    def __init__(self, service: AppService, app: AppRecord, request: GenerateRequest) -> None:
        self._service = service
        self._app = app
        self._request = request
        self._compiled = service.compiled.of(app)
        self._shape = AnswerShape(app.definition.thoughts, self._compiled.words)
        self.outbox = Outbox()
        self._speech = Speech(self._shape, self._compiled.words, self.outbox.put, self.outbox.room)

    async def drive(self) -> None:
        longest_s = min(self._service.longest_s, self._request.deadline_s or self._service.longest_s)
        try:
            async with asyncio.timeout(longest_s):
                await self._speak(longest_s)
        except TimeoutError:
            self.outbox.end(DeadlineExceeded(f"The application took longer than {longest_s:g} s."))
        except SeekwayError as error:
            self.outbox.end(error)
        except Exception as error:  # noqa: BLE001 - the task's edge: whoever reads must hear of it, and the gateway logs it
            self.outbox.end(unforeseen(error))
        else:
            self.outbox.end()

    def last_events(self) -> Sequence[Event]:
        usage = self._speech.tally.usage()
        if self._shape.replaced:
            return (usage, Finish("content_filter"))
        return (usage, self._speech.finish or Finish("stop"))

    async def _speak(self, longest_s: float) -> None:
        app, service = self._app, self._service
        question = self._question(longest_s)
        ready = await service.preparation.prepare(question)
        if isinstance(ready, Given):
            if ready.answer:
                self.outbox.put(app_events.AnswerDelta(ready.answer))
            return
        caller = Caller(key_id=f"{PREFIX}{app.slug}")
        if app.definition.mode != "agent-chat":
            await self._speech.of_model(ready.request, service.models.generate(ready.request, caller))
        elif service.agent is not None:
            deadline = asyncio.get_running_loop().time() + longest_s
            task = AgentTask(
                app, caller, self._request.id, ready.request, question.query, question.user or "", deadline
            )
            await self._speech.of_agent(ready.request, service.agent.run(task))
        else:
            raise AppUnavailable("Agents cannot be run here; choose an application without one.", param="model")

    def _question(self, longest_s: float) -> Question:
        request, definition = self._request, self._app.definition
        system, turns, last = _conversation(request.messages)
        images = () if isinstance(last.content, str) else tuple(p for p in last.content if isinstance(p, ImagePart))
        if images and not (definition.files.enabled and "image" in definition.files.kinds):
            raise InvalidRequest("This application takes no pictures; ask without them.", param="messages")
        given: object = request.extra.get("inputs") or {}
        if not isinstance(given, dict):
            raise InvalidRequest("inputs is an object of the form's variables.", param="inputs")
        return Question(
            self._app,
            self._compiled,
            request_id(request.id, self._app.slug),
            request.user_id,
            _text(last),
            filled_form(definition.form, cast("Mapping[str, Any]", given)),
            turns,
            attached=Attached(images=images),
            system=system,
            stream=request.stream,
            deadline_s=longest_s,
        )


def _check(app: AppRecord, request: GenerateRequest) -> None:
    """Raises for what an application cannot do, and for one that would ask itself."""
    if not app.enabled:
        raise AppUnavailable(f"The application {app.slug} is switched off.", param="model")
    chain = asking_apps(request.id)
    if app.slug in chain or len(chain) >= _DEEPEST:
        way = " asks ".join(PREFIX + slug for slug in (*chain, app.slug))
        raise AppUnavailable(
            f"Applications may not ask each other in circles or more than {_DEEPEST} deep ({way}); give one of them another model.",
            param="model",
        )
    if request.tools:
        raise UnsupportedParameter("An application brings its own tools; ask without any.", param="tools")


def _conversation(messages: Sequence[Message]) -> tuple[tuple[Message, ...], list[Turn], Message]:
    """System messages, turns and the question. What several messages of a kind in a row say is one text."""
    system = tuple([Message("system", _text(one)) for one in messages if one.role == "system"])
    spoken = [one for one in messages if one.role != "system"]
    if not spoken or spoken[-1].role != "user":
        raise InvalidRequest("The last message must be the user's question.", param="messages")
    if any(one.role == "tool" or one.tool_calls for one in spoken):
        raise UnsupportedParameter("An application brings its own tools; ask without calls of any.", param="messages")
    turns: list[Turn] = []
    query: list[str] = []
    answer: list[str] = []
    for one in spoken[:-1]:
        if one.role == "user":
            if answer:
                turns.append(Turn(len(turns) + 1, "\n\n".join(query), "\n\n".join(answer)))
                query, answer = [], []
            query.append(_text(one))
        else:
            answer.append(_text(one))
    if answer:
        turns.append(Turn(len(turns) + 1, "\n\n".join(query), "\n\n".join(answer)))
        query = []
    last = spoken[-1]
    if query:
        # Several questions in a row: they are all asked now.
        text = "\n\n".join((*query, _text(last)))
        more = () if isinstance(last.content, str) else tuple(p for p in last.content if isinstance(p, ImagePart))
        last = Message("user", (TextPart(text), *more) if more else text)
    return system, turns, last


def _text(message: Message) -> str:
    """Raises ``UnsupportedParameter`` for files; pictures are looked at where they come with the question."""
    if isinstance(message.content, str):
        return message.content
    if any(not isinstance(part, TextPart | ImagePart) for part in message.content):
        raise UnsupportedParameter("Files cannot be sent to an application this way; send text.", param="messages")
    return "\n".join(part.text for part in message.content if isinstance(part, TextPart))


def _canonical(event: app_events.AppEvent) -> Event | None:
    match event:
        case app_events.AnswerDelta(text):
            return TextDelta(text)
        case app_events.ReasoningDelta(text):
            return ReasoningDelta(text)
        case app_events.AnswerReplaced(text):
            return Replacement(text)
        case _:
            return None


def _info(app: AppRecord) -> ModelInfo:
    return ModelInfo(
        PREFIX + app.slug,
        str(app.updated_at),
        owned_by=app.author or "seekway",
        source="application",
        capabilities=("chat",),
        engine="application",
        created=app.created_at // 1000,
    )


def _chats_only() -> InvalidRequest:
    return InvalidRequest("An application answers chats only; ask another model.", param="model")
