"""From a question to what the model is sent, or to an answer that needs no model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from seekway.applications.answers.annotation_replies import AnnotationReplies
from seekway.applications.memory.window import spoken
from seekway.applications.ports import Models
from seekway.applications.records import AppRecord, Source, Turn
from seekway.applications.runs.attachments import Attached
from seekway.applications.runs.compiled import CompiledApp
from seekway.applications.runs.form import form_texts
from seekway.applications.runs.passages import KnowledgeLookup
from seekway.applications.runs.prompt import PromptParts
from seekway.core.types import GenerateRequest, Message


class Question(msgspec.Struct, frozen=True):
    """``inputs`` are checked. ``request_id`` is the first model call's; ``user`` the caller's name for the end user.

    ``system`` are messages to stand behind the application's own instructions.
    """

    app: AppRecord
    compiled: CompiledApp
    request_id: str
    user: str | None
    query: str
    inputs: Mapping[str, Any]
    turns: Sequence[Turn] = ()
    summary: str = ""
    attached: Attached = Attached()
    system: tuple[Message, ...] = ()
    stream: bool = True
    deadline_s: float = 600.0

    @property
    def searched(self) -> str:
        """What the knowledge bases are asked: for a text generator one of its variables, where the definition names it."""
        name = self.app.definition.knowledge.query_variable
        if name and self.app.definition.mode == "completion":
            return form_texts(self.app.definition.form, self.inputs).get(name, "")
        return self.query


class Given(msgspec.Struct, frozen=True):
    """An answer that stands already; ``annotation`` is the id of the one that gave it."""

    answer: str
    annotation: str = ""


class Ready(msgspec.Struct, frozen=True):
    """``memory_tokens`` is what the conversation might take of the prompt."""

    request: GenerateRequest
    sources: tuple[Source, ...] = ()
    memory_tokens: float = 0.0


class Preparation:
    def __init__(self, models: Models, lookup: KnowledgeLookup, annotations: AnnotationReplies) -> None:
        self._models = models
        self._lookup = lookup
        self._annotations = annotations

    async def prepare(self, question: Question) -> Given | Ready:
        """Raises ``AppUnavailable`` where a knowledge base is missing, and what searching raises."""
        app, words = question.app, question.compiled.words
        definition = app.definition
        values = form_texts(definition.form, question.inputs)
        if words is not None and words.forbids((question.query, *values.values())):
            return Given(words.input_answer or "")
        if definition.mode != "completion":
            annotation = await self._annotations.reply(app, question.query)
            if annotation is not None:
                return Given(annotation.answer, annotation.id)
        use = definition.knowledge
        passages = None
        # An agent looks by itself, with a tool.
        if use.datasets and definition.mode != "agent-chat":
            passages = await self._lookup.find(app.tenant, use, question.searched)
        ask = question.compiled.ask
        composed = question.compiled.prompt.compose(
            PromptParts(
                question.query,
                values,
                [turn for one in question.turns if (turn := spoken(one)).answer],
                question.summary,
                passages,
                question.attached,
                self._models.context_length(definition.model.name),
                ask.sampling.max_tokens or 0,
                question.system,
            )
        )
        request = ask.request(
            question.request_id,
            composed.messages,
            user=question.user,
            stream=question.stream,
            deadline_s=question.deadline_s,
        )
        return Ready(request, composed.sources if definition.citations else (), composed.memory_tokens)
