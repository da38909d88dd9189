"""The children by which a parent segment is found."""

from __future__ import annotations

import math

import msgspec
from starlette.responses import Response

from seekway.core.errors import InvalidParameter
from seekway.gateway.dify.knowledge_call import KnowledgeCall, done, reply
from seekway.gateway.dify.segment_wire import ChildAnswer, ChildPage, wire_child
from seekway.gateway.dify.segments import editable
from seekway.knowledge.ingest.records import DocumentRecord

_MOST_CHARACTERS = 50_000


class ChildBody(msgspec.Struct, frozen=True):
    content: str


async def create_child(call: KnowledgeCall) -> Response:
    """Behind the others of its parent."""
    document = await _of_parents(call)
    content = await _content(call)
    made = await call.knowledge.indexing.editing.add_child(document.key, call.named("segment_id"), content)
    return await _shown(call, document, made)


async def list_children(call: KnowledgeCall) -> Response:
    """In order, by page and word."""
    page, limit = call.page()
    document = await call.knowledge.book.document(call.document)
    segment = await call.knowledge.book.segments.segment(document.key, call.named("segment_id"))
    keyword = call.asked("keyword").lower()
    found = [child for child in segment.children if keyword in child.content.lower()]
    data = [wire_child(segment.id, child) for child in found[(page - 1) * limit : page * limit]]
    return reply(ChildPage(data, len(found), math.ceil(len(found) / limit), page, limit))


async def change_child(call: KnowledgeCall) -> Response:
    """Another text for it."""
    document = await _of_parents(call)
    child, content = call.named("child_chunk_id"), await _content(call)
    await call.knowledge.indexing.editing.change_child(document.key, call.named("segment_id"), child, content)
    return await _shown(call, document, child)


async def delete_child(call: KnowledgeCall) -> Response:
    """Its parent is no longer found by it."""
    document = await _of_parents(call)
    await call.knowledge.indexing.editing.change_child(
        document.key, call.named("segment_id"), call.named("child_chunk_id"), None
    )
    return done()


async def _content(call: KnowledgeCall) -> str:
    content = (await call.body(ChildBody)).content
    if not content.strip():
        raise InvalidParameter("Content is required.", param="content")
    if len(content) > _MOST_CHARACTERS:
        raise InvalidParameter(f"A child chunk has at most {_MOST_CHARACTERS} characters.", param="content")
    return content


async def _of_parents(call: KnowledgeCall) -> DocumentRecord:
    document = await editable(call)
    if document.form != "hierarchical_model":
        raise InvalidParameter("Only documents of the form hierarchical_model have child chunks.", param="doc_form")
    return document


async def _shown(call: KnowledgeCall, document: DocumentRecord, child: str) -> Response:
    segment = await call.knowledge.book.segments.segment(document.key, call.named("segment_id"))
    found = next((one for one in segment.children if one.id == child), None)
    if found is None:
        raise InvalidParameter("The child chunk was deleted meanwhile.", param="child_chunk_id")
    return reply(ChildAnswer(wire_child(segment.id, found)))
