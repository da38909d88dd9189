"""Datasets: made, listed, changed, deleted."""

from __future__ import annotations

import contextlib
import uuid

import msgspec
from starlette.responses import Response

from seekway.core.errors import AlreadyExists, InvalidParameter, NotFound
from seekway.gateway.dify.dataset_wire import (
    DatasetBody,
    DatasetSettings,
    Technique,
    WireDataset,
    settings_of,
    technique_of,
    wire_dataset,
    with_settings,
)
from seekway.gateway.dify.errors import DifyRefusal
from seekway.gateway.dify.knowledge_call import KnowledgeCall, done, page_of, reply
from seekway.knowledge.ingest.listing import DatasetFigures
from seekway.knowledge.ingest.records import DatasetRecord


async def create_dataset(call: KnowledgeCall) -> Response:
    """A dataset, empty; without ``indexing_technique`` its first document says how it is indexed."""
    body = await call.body(DatasetBody)
    body.check()
    if body.name is None or not body.name.strip():
        raise InvalidParameter("name is missing.", param="name")
    technique: Technique | None = body.indexing_technique or ("high_quality" if body.embedding_model else None)
    settings = DatasetSettings(
        indexing_technique=technique,
        permission=body.permission or "only_me",
        embedding_model_provider=body.embedding_model_provider or "",
        retrieval_model=body.retrieval_model,
        partial_member_list=body.partial_member_list or (),
    )
    model = embedding_model(call, body.embedding_model) if technique == "high_quality" else ""
    record = DatasetRecord(call.tenant, str(uuid.uuid4()), body.name.strip(), body.description or "", model)
    try:
        made = await call.knowledge.create(with_settings(record, settings))
    except AlreadyExists as error:
        raise _taken(record.name) from error
    return reply(wire_dataset(call, made, DatasetFigures(), (), ()))


async def list_datasets(call: KnowledgeCall) -> Response:
    """Newest first; ``tag_ids`` may be repeated, and a dataset needs one of them."""
    page, limit = call.page()
    book = call.knowledge.book
    found = await book.datasets(call.tenant)
    tags = await book.tags.bindings(call.tenant)
    if keyword := call.asked("keyword").lower():
        found = [one for one in found if keyword in one.name.lower()]
    if wanted := set(call.several("tag_ids", "tag_ids[]")):
        found = [one for one in found if wanted.intersection(tag.id for tag in tags.get(one.id, ()))]
    figures = await book.listing.dataset_figures(call.tenant)
    shown: list[WireDataset] = []
    for one in found[(page - 1) * limit : page * limit]:
        fields = await book.fields.fields(call.tenant, one.id)
        shown.append(wire_dataset(call, one, figures.get(one.id, DatasetFigures()), tags.get(one.id, ()), fields))
    return reply(page_of(shown, len(found), page, limit))


async def show_dataset(call: KnowledgeCall) -> Response:
    """One dataset."""
    return await shown(call, await call.knowledge.book.dataset(call.tenant, call.dataset))


async def change_dataset(call: KnowledgeCall) -> Response:
    """Name, description, permission and how it is searched; how it is indexed only while it is empty."""
    body = await call.body(DatasetBody)
    body.check()
    record = await call.knowledge.book.dataset(call.tenant, call.dataset)
    if body.name is not None and not body.name.strip():
        raise InvalidParameter("name is empty.", param="name")
    figures = await call.knowledge.book.listing.dataset_figures(call.tenant)
    technique = technique_of(record, settings_of(record), figures.get(record.id, DatasetFigures()).documents)
    wanted = body.indexing_technique or ("high_quality" if body.embedding_model else technique)
    if wanted != technique or (body.embedding_model or record.embedding_model) != record.embedding_model:
        record = await set_technique(call, record, wanted or "economy", body.embedding_model)
    given = {
        "permission": body.permission,
        "embedding_model_provider": body.embedding_model_provider,
        "retrieval_model": body.retrieval_model,
        "partial_member_list": body.partial_member_list,
    }
    kept = {name: value for name, value in given.items() if value is not None}
    settings = msgspec.structs.replace(settings_of(record), **kept)
    name = record.name if body.name is None else body.name.strip()
    description = record.description if body.description is None else body.description
    changed = msgspec.structs.replace(record, name=name, description=description)
    await describe(call, with_settings(changed, settings))
    return await show_dataset(call)


async def delete_dataset(call: KnowledgeCall) -> Response:
    """With its documents and every trace of them."""
    await call.knowledge.ingester.delete_dataset(call.tenant, call.dataset)
    return done()


async def shown(call: KnowledgeCall, record: DatasetRecord) -> Response:
    book = call.knowledge.book
    figures = (await book.listing.dataset_figures(call.tenant)).get(record.id, DatasetFigures())
    tags = await book.tags.tags(call.tenant, record.id)
    return reply(wire_dataset(call, record, figures, tags, await book.fields.fields(call.tenant, record.id)))


async def describe(call: KnowledgeCall, record: DatasetRecord) -> None:
    try:
        await call.knowledge.indexing.describe_dataset(record)
    except AlreadyExists as error:
        raise _taken(record.name) from error


async def set_technique(
    call: KnowledgeCall, record: DatasetRecord, technique: Technique, model: str | None
) -> DatasetRecord:
    """How what comes is indexed; only while there is no document. Raises ``InvalidRequest``."""
    name = embedding_model(call, model) if technique == "high_quality" else ""
    dimensions = 0
    if name:
        probe = await call.knowledge.embedder(name).embed((record.name,), "passage")
        dimensions = probe.shape[1]
    await call.knowledge.book.listing.embed_with(call.tenant, record.id, name, dimensions)
    # What it was indexed with before its documents were deleted.
    with contextlib.suppress(NotFound):
        await call.knowledge.index.drop(call.tenant, record.id)
    settings = msgspec.structs.replace(settings_of(record), indexing_technique=technique)
    changed = msgspec.structs.replace(record, embedding_model=name, dimensions=dimensions)
    changed = with_settings(changed, settings)
    await describe(call, changed)
    return changed


def embedding_model(call: KnowledgeCall, named: str | None) -> str:
    """Raises :class:`DifyRefusal` where there is none."""
    if model := named or call.knowledge.embedding_model:
        return model
    raise DifyRefusal(
        400,
        "provider_not_initialize",
        "There is no embedding model; set knowledge.embedding_model, or take indexing_technique economy.",
    )


def _taken(name: str) -> DifyRefusal:
    return DifyRefusal(
        409, "dataset_name_duplicate", f"The dataset name {name!r} already exists. Please modify your dataset name."
    )
