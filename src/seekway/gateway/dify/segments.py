"""Segments: the passages of a document, as people read and change them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from starlette.responses import Response

from seekway.core.errors import InvalidParameter
from seekway.gateway.dify.errors import DifyRefusal
from seekway.gateway.dify.knowledge_call import KnowledgeCall, done, reply
from seekway.gateway.dify.segment_wire import SegmentAnswer, SegmentPage, SegmentsAnswer, wire_segment
from seekway.knowledge.ingest.records import DocumentRecord
from seekway.knowledge.segments.records import NewSegment, Segment, SegmentChange

_MOST_AT_ONCE = 100
_MOST_CHARACTERS = 100_000


class SegmentBody(msgspec.Struct, frozen=True):
    """What is None stays, or is left out."""

    content: str | None = None
    answer: str | None = None
    keywords: Sequence[str] | None = None
    enabled: bool | None = None
    regenerate_child_chunks: bool | None = None
    attachment_ids: Sequence[str] | None = None
    summary: str | None = None

    def check(self, document: DocumentRecord, *, new: bool) -> None:
        """Raises ``InvalidParameter``."""
        if self.attachment_ids:
            raise InvalidParameter(
                "Segments have no attachments here; leave attachment_ids out.", param="attachment_ids"
            )
        if self.summary:
            raise InvalidParameter("Segments have no summaries here; leave summary out.", param="summary")
        if (new and self.content is None) or (self.content is not None and not self.content.strip()):
            raise InvalidParameter("Content is required.", param="content")
        if document.form == "qa_model" and new and not (self.answer or "").strip():
            raise InvalidParameter("Answer is required.", param="answer")
        if len(self.content or "") + len(self.answer or "") > _MOST_CHARACTERS:
            raise InvalidParameter(f"A segment has at most {_MOST_CHARACTERS} characters; split it.", param="content")


class NewSegments(msgspec.Struct, frozen=True):
    segments: Sequence[SegmentBody]


class ChangedSegment(msgspec.Struct, frozen=True):
    segment: SegmentBody


async def create_segments(call: KnowledgeCall) -> Response:
    """Behind those that are there."""
    given = (await call.body(NewSegments)).segments
    if not 1 <= len(given) <= _MOST_AT_ONCE:
        raise InvalidParameter(f"Segments are required, at most {_MOST_AT_ONCE} at once.", param="segments")
    document = await editable(call)
    for one in given:
        one.check(document, new=True)
    new = [
        NewSegment(
            one.content or "", _answer(document, one), tuple(word for word in one.keywords or () if word.strip())
        )
        for one in given
    ]
    made = await call.knowledge.indexing.editing.add(document.key, new)
    return reply(SegmentsAnswer([wire_segment(call, document.id, one) for one in made], document.form))


async def list_segments(call: KnowledgeCall) -> Response:
    """In order; ``status`` may be repeated."""
    page, limit = call.page()
    document = await call.knowledge.book.document(call.document)
    found, total = await call.knowledge.book.segments.page(
        document.key, keyword=call.asked("keyword"), statuses=call.several("status", "status[]"), page=page, limit=limit
    )
    data = [wire_segment(call, document.id, one) for one in found]
    return reply(SegmentPage(data, document.form, total, page * limit < total, limit, page))


async def show_segment(call: KnowledgeCall) -> Response:
    """One segment."""
    document = await call.knowledge.book.document(call.document)
    return _shown(call, document, await call.knowledge.book.segments.segment(document.key, call.named("segment_id")))


async def change_segment(call: KnowledgeCall) -> Response:
    """What is given is changed, and found as it is now."""
    body = (await call.body(ChangedSegment)).segment
    document = await editable(call)
    body.check(document, new=False)
    keywords = None if body.keywords is None else tuple(word for word in body.keywords if word.strip())
    change = SegmentChange(body.content, _answer(document, body), keywords, body.enabled)
    changed = await call.knowledge.indexing.editing.change(
        document.key, call.named("segment_id"), change, cut_again=bool(body.regenerate_child_chunks)
    )
    return _shown(call, document, changed)


async def delete_segment(call: KnowledgeCall) -> Response:
    """With every trace of it."""
    document = await editable(call)
    await call.knowledge.indexing.editing.delete(document.key, call.named("segment_id"))
    return done()


async def editable(call: KnowledgeCall) -> DocumentRecord:
    """Raises :class:`DifyRefusal` for one that is put away."""
    document = await call.knowledge.book.document(call.document)
    if document.archived:
        raise DifyRefusal(403, "archived_document_immutable", "The archived document is not editable.")
    return document


def _answer(document: DocumentRecord, body: SegmentBody) -> str | None:
    """Only questions have answers; clients send empty ones with the others."""
    return body.answer if document.form == "qa_model" else None


def _shown(call: KnowledgeCall, document: DocumentRecord, segment: Segment) -> Response:
    return reply(SegmentAnswer(wire_segment(call, document.id, segment), document.form))
