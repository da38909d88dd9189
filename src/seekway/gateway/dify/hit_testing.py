"""A question to one dataset, and the segments that may answer it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from starlette.responses import Response

from seekway.core.errors import InvalidParameter
from seekway.gateway.dify.dataset_wire import default_retrieval, settings_of
from seekway.gateway.dify.knowledge_call import KnowledgeCall, reply
from seekway.gateway.dify.retrieval_model import RetrievalModel, retrieval_of
from seekway.gateway.dify.segment_wire import WireSegment, wire_segment
from seekway.knowledge.index.conditions import MetadataValue
from seekway.knowledge.retrieval.retriever import Citation
from seekway.knowledge.segments.records import Segment, SegmentKey

_MOST_CHARACTERS = 250


class RetrieveBody(msgspec.Struct, frozen=True):
    query: str | None = None
    retrieval_model: RetrievalModel | None = None
    external_retrieval_model: object = None
    attachment_ids: Sequence[str] | None = None


class Query(msgspec.Struct, frozen=True):
    content: str


class FoundDocument(msgspec.Struct, frozen=True):
    id: str
    data_source_type: str
    name: str
    doc_type: str | None
    doc_metadata: Mapping[str, MetadataValue] | None


class FoundChild(msgspec.Struct, frozen=True):
    id: str
    content: str
    position: int
    score: float


class FoundSegment(WireSegment, frozen=True, kw_only=True):
    document: FoundDocument


class Record(msgspec.Struct, frozen=True):
    segment: FoundSegment
    child_chunks: Sequence[FoundChild] | None
    score: float
    tsne_position: object = None
    files: Sequence[object] = ()
    summary: str | None = None


class Retrieved(msgspec.Struct, frozen=True):
    query: Query
    records: Sequence[Record]


async def retrieve(call: KnowledgeCall) -> Response:
    """As the dataset is set to be searched, unless the request says how; each segment that is given counts as a hit."""
    body = await call.body(RetrieveBody)
    query = (body.query or "").strip()
    if body.attachment_ids:
        raise InvalidParameter("Images are not searched for here; leave attachment_ids out.", param="attachment_ids")
    if not query or len(query) > _MOST_CHARACTERS:
        raise InvalidParameter(f"Query is required and cannot exceed {_MOST_CHARACTERS} characters.", param="query")
    dataset = await call.knowledge.book.dataset(call.tenant, call.dataset)
    model = body.retrieval_model or settings_of(dataset).retrieval_model or default_retrieval(dataset)
    how = retrieval_of(model, embedded=bool(dataset.embedding_model))
    found = await call.knowledge.retrieve(call.tenant, (dataset.id,), query, how)
    keys = [SegmentKey(dataset.id, one.document_id, one.passage.position) for one in found]
    segments = await call.knowledge.book.segments.at(call.tenant, keys)
    shown = [(one, segment) for one, segment in zip(found, segments, strict=True) if segment is not None]
    await call.knowledge.book.segments.count_hits(
        call.tenant, [SegmentKey(dataset.id, one.document_id, segment.position) for one, segment in shown]
    )
    return reply(Retrieved(Query(query), [_record(call, one, segment) for one, segment in shown]))


def _record(call: KnowledgeCall, found: Citation, segment: Segment) -> Record:
    plain = wire_segment(call, found.document_id, segment)
    document = FoundDocument(found.document_id, "upload_file", found.document_name, None, found.metadata or None)
    scores = {one.text: one.score for one in reversed(found.matched)}
    children = [
        FoundChild(child.id, child.content, child.position, scores[child.content])
        for child in segment.children
        if child.content in scores
    ]
    full = FoundSegment(*(getattr(plain, name) for name in WireSegment.__struct_fields__), document=document)
    return Record(full, sorted(children, key=lambda child: -child.score) or None, found.score)
