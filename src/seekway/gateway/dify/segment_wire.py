"""Segments and their children as Dify's clients read them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import msgspec

from seekway.gateway.dify.knowledge_call import KnowledgeCall, seconds, seconds_or_none
from seekway.knowledge.segments.records import Child, Segment


class WireChild(msgspec.Struct, frozen=True):
    id: str
    segment_id: str
    content: str
    position: int
    word_count: int
    type: str
    created_at: int
    updated_at: int


class WireSegment(msgspec.Struct, frozen=True):
    id: str
    position: int
    document_id: str
    content: str
    sign_content: str
    answer: str | None
    word_count: int
    tokens: int
    keywords: Sequence[str]
    index_node_id: str
    index_node_hash: str
    hit_count: int
    enabled: bool
    disabled_at: int | None
    disabled_by: str | None
    status: str
    created_by: str
    created_at: int
    updated_at: int
    updated_by: str
    indexing_at: int
    completed_at: int | None
    child_chunks: Sequence[WireChild]
    error: str | None = None
    stopped_at: int | None = None
    attachments: Sequence[object] = ()
    summary: str | None = None


class SegmentAnswer(msgspec.Struct, frozen=True):
    data: WireSegment
    doc_form: str


class SegmentsAnswer(msgspec.Struct, frozen=True):
    data: Sequence[WireSegment]
    doc_form: str


class SegmentPage(msgspec.Struct, frozen=True):
    data: Sequence[WireSegment]
    doc_form: str
    total: int
    has_more: bool
    limit: int
    page: int


class ChildAnswer(msgspec.Struct, frozen=True):
    data: WireChild


class ChildPage(msgspec.Struct, frozen=True):
    data: Sequence[WireChild]
    total: int
    total_pages: int
    page: int
    limit: int


def wire_segment(call: KnowledgeCall, document: str, segment: Segment) -> WireSegment:
    return WireSegment(
        id=segment.id,
        position=segment.position,
        document_id=document,
        content=segment.content,
        sign_content=segment.content,
        answer=segment.answer,
        word_count=segment.characters,
        tokens=segment.tokens,
        keywords=segment.keywords,
        index_node_id=segment.id,
        index_node_hash=hashlib.sha256(segment.content.encode()).hexdigest(),
        hit_count=segment.hits,
        enabled=segment.enabled,
        disabled_at=seconds_or_none(segment.disabled_at),
        disabled_by=None if segment.enabled else call.account,
        status="completed" if segment.settled == segment.revision else "indexing",
        created_by=call.account,
        created_at=seconds(segment.created_at),
        updated_at=seconds(segment.updated_at),
        updated_by=call.account,
        indexing_at=seconds(segment.updated_at),
        completed_at=seconds_or_none(segment.completed_at),
        child_chunks=[wire_child(segment.id, child) for child in segment.children],
    )


def wire_child(segment: str, child: Child) -> WireChild:
    return WireChild(
        *(child.id, segment, child.content, child.position, len(child.content)),
        *("customized" if child.custom else "automatic", seconds(child.created_at), seconds(child.updated_at)),
    )
