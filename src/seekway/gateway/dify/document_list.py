"""Documents listed, shown, switched, deleted, and how far each is."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from starlette.responses import Response

from seekway.core.errors import InvalidParameter, NotFound
from seekway.gateway.dify.document_wire import (
    DocumentMetadata,
    WireStatus,
    wire_detail,
    wire_document,
    wire_metadata,
    wire_status,
)
from seekway.gateway.dify.errors import DifyRefusal
from seekway.gateway.dify.knowledge_call import KnowledgeCall, Result, done, page_of, reply
from seekway.knowledge.ingest.listing import DISPLAYS
from seekway.knowledge.ingest.records import DocumentKey, DocumentRecord

_ACTIONS = ("enable", "disable", "archive", "un_archive")


class DocumentIds(msgspec.Struct, frozen=True):
    document_ids: Sequence[str]


class Statuses(msgspec.Struct, frozen=True):
    data: Sequence[WireStatus]


async def list_documents(call: KnowledgeCall) -> Response:
    """The newest first; ``status`` is the one that is displayed."""
    page, limit = call.page()
    status = call.asked("status")
    if status and status not in DISPLAYS:
        raise InvalidParameter(f"status is one of {', '.join(DISPLAYS)}.", param="status")
    book = call.knowledge.book
    await book.dataset(call.tenant, call.dataset)
    found, total = await book.listing.page(
        *(call.tenant, call.dataset),
        keyword=call.asked("keyword"),
        display=status or None,
        page=page,
        limit=limit,
    )
    figures = await book.listing.document_figures(call.tenant, call.dataset, [one.id for one in found])
    fields = await book.fields.fields(call.tenant, call.dataset)
    shown = [wire_document(call, one, figures.get(one.id), fields) for one in found]
    return reply(page_of(shown, total, page, limit))


async def show_document(call: KnowledgeCall) -> Response:
    """``metadata`` is ``all``, ``only`` or ``without``."""
    which = call.asked("metadata") or "all"
    if which not in ("all", "only", "without"):
        raise DifyRefusal(400, "invalid_metadata", f"Invalid metadata value: {which}; it is all, only or without.")
    book = call.knowledge.book
    document = await book.document(call.document)
    fields = await book.fields.fields(call.tenant, call.dataset)
    if which == "only":
        return reply(DocumentMetadata(document.id, wire_metadata(document, fields)))
    figures = await book.listing.document_figures(call.tenant, call.dataset, [document.id])
    shown = wire_detail(call, document, figures.get(document.id), fields)
    if which == "all":
        return reply(shown)
    return reply(
        {name: getattr(shown, name) for name in shown.__struct_fields__ if name not in ("doc_metadata", "doc_type")}
    )


async def delete_document(call: KnowledgeCall) -> Response:
    """With every trace of it."""
    await call.knowledge.ingester.delete(call.document)
    return done()


async def indexing_status(call: KnowledgeCall) -> Response:
    """Of the documents of a batch, which is where Dify has a document's id."""
    found = await call.knowledge.book.documents(call.tenant, call.dataset, batch=call.named("document_id"))
    if not found:
        raise NotFound("Documents not found.")
    return reply(Statuses([wire_status(document) for document in found]))


async def switch_documents(call: KnowledgeCall) -> Response:
    """All are looked at before the first is changed."""
    action = call.named("action")
    if action not in _ACTIONS:
        raise InvalidParameter(f"The action is one of {', '.join(_ACTIONS)}.", param="action")
    body = await call.body(DocumentIds)
    book, now = call.knowledge.book, call.knowledge.book.now()
    found = [
        await book.document(DocumentKey(call.tenant, call.dataset, one)) for one in dict.fromkeys(body.document_ids)
    ]
    for document in found:
        changed = _switched(document, action, now)
        if changed != document:
            await call.knowledge.indexing.describe(changed)
    return reply(Result())


def _switched(document: DocumentRecord, action: str, now: int) -> DocumentRecord:
    match action:
        case "enable":
            return msgspec.structs.replace(document, enabled=True, disabled_at=None)
        case "disable":
            return (
                document if not document.enabled else msgspec.structs.replace(document, enabled=False, disabled_at=now)
            )
        case _:
            return msgspec.structs.replace(document, archived=action == "archive")
