"""Answers written by hand, and the switch that has them given."""

from __future__ import annotations

import math
from typing import Final

import msgspec
from starlette.responses import Response

from seekway.applications.definition import AnnotationUse
from seekway.applications.records import Annotation, AppRecord
from seekway.core.errors import InvalidParameter
from seekway.gateway.dify.annotation_jobs import Action
from seekway.gateway.dify.app_call import AppCall, done, reply, seconds

_MOST: Final = 100


class AnnotationBody(msgspec.Struct, frozen=True):
    question: str
    answer: str


class ReplyBody(msgspec.Struct, frozen=True):
    """``embedding_provider_name`` is not looked at: a model's name is enough here."""

    score_threshold: float | None = None
    embedding_provider_name: str | None = None
    embedding_model_name: str | None = None


class WireAnnotation(msgspec.Struct, frozen=True):
    id: str
    question: str
    answer: str
    hit_count: int
    created_at: int


class AnnotationPage(msgspec.Struct, frozen=True):
    data: list[WireAnnotation]
    has_more: bool
    limit: int
    total: int
    page: int


class JobBegan(msgspec.Struct, frozen=True):
    job_id: str
    job_status: str


async def create(call: AppCall) -> Response:
    body = await _body(call)
    made = await call.store.annotations.add(call.app.id, body.question, body.answer)
    call.desk.jobs.refresh(call.applications, call.app)
    return reply(_wire(made), 201)


async def list_all(call: AppCall) -> Response:
    page, limit = call.asked_whole("page", 1, 10**8), call.asked_whole("limit", 20, _MOST)
    found, total = await call.store.annotations.page(call.app.id, page=page, limit=limit, keyword=call.asked("keyword"))
    return reply(AnnotationPage([_wire(one) for one in found], page * limit < total, limit, total, page))


async def change(call: AppCall) -> Response:
    annotation, body = call.id_of_path("annotation_id"), await _body(call)
    changed = await call.store.annotations.change(call.app.id, annotation, body.question, body.answer)
    call.desk.jobs.refresh(call.applications, call.app)
    return reply(_wire(changed))


async def delete(call: AppCall) -> Response:
    await call.store.annotations.delete(call.app.id, call.id_of_path("annotation_id"))
    return done()


async def switch(call: AppCall) -> Response:
    """The questions are embedded behind the answer; the job says how far that is."""
    action = _action(call)
    app = await call.store.apps.by_id(call.app.tenant, call.app.id)
    off = msgspec.structs.replace(app.definition.annotations, enabled=False)
    use = _wanted(await call.body(ReplyBody)) if action == "enable" else off
    definition = msgspec.structs.replace(app.definition, annotations=use)
    changed: AppRecord = await call.store.apps.change(msgspec.structs.replace(app, definition=definition))
    call.desk.opened.forget(changed)
    job = call.desk.jobs.start(call.applications, changed, action)
    return reply(JobBegan(job.job_id, job.job_status))


async def job_status(call: AppCall) -> Response:
    action, job = _action(call), call.id_of_path("job_id")
    found = await call.desk.jobs.state(call.applications, call.app, action, job)
    if found is None:
        raise InvalidParameter("The job does not exist.", param="job_id")
    return reply(found)


def _action(call: AppCall) -> Action:
    action = call.named("action")
    if action not in ("enable", "disable"):
        raise InvalidParameter("The action is enable or disable.", param="action")
    return action


def _wanted(body: ReplyBody) -> AnnotationUse:
    for name in ("score_threshold", "embedding_provider_name", "embedding_model_name"):
        if getattr(body, name) is None:
            raise InvalidParameter(f"{name} is missing.", param=name)
    threshold = body.score_threshold or 0.0
    if not (math.isfinite(threshold) and 0 <= threshold <= 1):
        raise InvalidParameter("score_threshold is a number from 0 to 1.", param="score_threshold")
    return AnnotationUse(enabled=True, score_threshold=threshold, embedding_model=body.embedding_model_name or "")


async def _body(call: AppCall) -> AnnotationBody:
    body = await call.body(AnnotationBody)
    for name, text in (("question", body.question), ("answer", body.answer)):
        if not text.strip():
            raise InvalidParameter(f"{name} is empty.", param=name)
    return AnnotationBody(body.question.replace("\x00", ""), body.answer.replace("\x00", ""))


def _wire(annotation: Annotation) -> WireAnnotation:
    return WireAnnotation(
        annotation.id, annotation.question, annotation.answer, annotation.hit_count, seconds(annotation.created_at)
    )
