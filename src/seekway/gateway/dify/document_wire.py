"""Documents as Dify's clients write and read them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Final, Literal, cast

import msgspec

from seekway.gateway.dify.dataset_wire import Technique
from seekway.gateway.dify.knowledge_call import KnowledgeCall, seconds, seconds_or_none
from seekway.gateway.dify.retrieval_model import RetrievalModel
from seekway.knowledge.chunking.process_rule import Form, ProcessRule, read_process_rule
from seekway.knowledge.index.conditions import MetadataValue
from seekway.knowledge.ingest.listing import DocumentFigures, display_of
from seekway.knowledge.ingest.records import DocumentRecord
from seekway.knowledge.labels.fields import BUILT_IN, Field

_RULES: Final = uuid.UUID("3d0a2f5e-4a2b-4a53-a9c6-0d8f1c5f6a77")
NO_METADATA: Final[Mapping[str, MetadataValue]] = {}


class DocumentBody(msgspec.Struct, frozen=True):
    """Of a document that is made or changed, by text or beside a file."""

    name: str | None = None
    text: str | None = None
    indexing_technique: Technique | None = None
    doc_form: Form | None = None
    doc_language: str | None = None
    process_rule: object = None
    retrieval_model: RetrievalModel | None = None
    embedding_model: str | None = None
    embedding_model_provider: str | None = None
    original_document_id: str | None = None

    def rule(self) -> ProcessRule | None:
        """Raises ``InvalidParameter``."""
        if self.process_rule is None:
            return None
        # Clients send what they have no value for as null.
        return read_process_rule(msgspec.json.encode(_without_nulls(self.process_rule)))


class WireValue(msgspec.Struct, frozen=True):
    id: str
    name: str
    type: str
    value: MetadataValue


class SourceInfo(msgspec.Struct, frozen=True):
    upload_file_id: str


class SourceFile(msgspec.Struct, frozen=True):
    id: str
    name: str
    size: int
    extension: str
    mime_type: str | None
    created_by: str
    created_at: int


class SourceDetail(msgspec.Struct, frozen=True):
    upload_file: SourceFile


class WireDocument(msgspec.Struct, frozen=True):
    id: str
    position: int
    data_source_info: SourceInfo
    data_source_detail_dict: SourceDetail
    dataset_process_rule_id: str
    name: str
    created_by: str
    created_at: int
    tokens: int
    indexing_status: str
    error: str | None
    enabled: bool
    disabled_at: int | None
    disabled_by: str | None
    archived: bool
    display_status: str
    word_count: int
    hit_count: int
    doc_form: str
    doc_metadata: Sequence[WireValue] | None
    data_source_type: str = "upload_file"
    created_from: str = "api"
    summary_index_status: str | None = None
    need_summary: bool = False


class WireRule(msgspec.Struct, frozen=True):
    id: str
    mode: str
    rules: object


class WireDocumentDetail(WireDocument, frozen=True, kw_only=True):
    updated_at: int
    completed_at: int | None
    indexing_latency: float | None
    segment_count: int
    average_segment_length: float
    dataset_process_rule: WireRule
    document_process_rule: WireRule
    doc_language: str
    doc_type: str | None = None


class DocumentMetadata(msgspec.Struct, frozen=True):
    """What ``metadata=only`` asks for."""

    id: str
    doc_metadata: Sequence[WireValue] | None
    doc_type: str | None = None


class DocumentAnswer(msgspec.Struct, frozen=True):
    document: WireDocument
    batch: str


class WireStatus(msgspec.Struct, frozen=True):
    """Moments are seconds since 1970."""

    id: str
    indexing_status: str
    processing_started_at: float | None
    parsing_completed_at: float | None
    cleaning_completed_at: float | None
    splitting_completed_at: float | None
    completed_at: float | None
    paused_at: float | None
    error: str | None
    stopped_at: float | None
    completed_segments: int
    total_segments: int


def wire_document(
    call: KnowledgeCall, document: DocumentRecord, figures: DocumentFigures | None, fields: Sequence[Field]
) -> WireDocument:
    return WireDocument(
        id=document.id,
        position=document.position,
        data_source_info=SourceInfo(file_id(document)),
        data_source_detail_dict=SourceDetail(wire_file(call, document)),
        dataset_process_rule_id=rule_id(document.rule),
        name=document.name,
        created_by=call.account,
        created_at=seconds(document.created_at),
        tokens=figures.tokens if figures else document.tokens,
        indexing_status=document.status,
        error=document.error,
        enabled=document.enabled,
        disabled_at=seconds_or_none(document.disabled_at),
        disabled_by=None if document.enabled else call.account,
        archived=document.archived,
        display_status=display_of(document),
        word_count=figures.characters if figures else document.characters,
        hit_count=figures.hits if figures else 0,
        doc_form=document.form,
        doc_metadata=wire_metadata(document, fields),
    )


def wire_detail(
    call: KnowledgeCall, document: DocumentRecord, figures: DocumentFigures | None, fields: Sequence[Field]
) -> WireDocumentDetail:
    plain = wire_document(call, document, figures, fields)
    rule = WireRule(rule_id(document.rule), document.rule.mode, document.rule.effective)
    started, ended = document.started_at, document.completed_at
    segments = figures.segments if figures else document.segments
    return WireDocumentDetail(
        *(getattr(plain, name) for name in WireDocument.__struct_fields__),
        updated_at=seconds(document.updated_at or ended or document.created_at),
        completed_at=seconds_or_none(ended),
        indexing_latency=(ended - started) / 1000 if started is not None and ended is not None else None,
        segment_count=segments,
        average_segment_length=plain.word_count / segments if segments else 0.0,
        dataset_process_rule=rule,
        document_process_rule=rule,
        doc_language=document.language,
    )


def wire_metadata(document: DocumentRecord, fields: Sequence[Field]) -> list[WireValue] | None:
    """None where there is nothing, as in Dify."""
    known = {field.name: field for field in fields}
    found: list[WireValue] = []
    for name, value in document.metadata.items():
        field = known.get(name)
        if field is not None:
            found.append(WireValue(field.id, name, field.kind, value))
        elif name in BUILT_IN:
            found.append(WireValue("built-in", name, BUILT_IN[name], value))
    return found or None


def wire_file(call: KnowledgeCall, document: DocumentRecord) -> SourceFile:
    suffix = document.name.rpartition(".")[2].lower() if "." in document.name else "txt"
    return SourceFile(
        *(file_id(document), document.name, document.size, suffix, document.mime),
        *(call.account, seconds(document.created_at)),
    )


def wire_status(document: DocumentRecord) -> WireStatus:
    moments = (
        *(document.started_at, document.parsed_at, document.cleaned_at, document.split_at),
        *(document.completed_at, document.paused_at),
    )
    return WireStatus(
        document.id,
        document.status,
        *(_moment(moment) for moment in moments),
        error=document.error,
        stopped_at=_moment(document.stopped_at),
        completed_segments=document.segments_done,
        total_segments=document.segments,
    )


def file_id(document: DocumentRecord) -> str:
    return str(uuid.uuid5(_RULES, f"{document.id} {document.digest}"))


def rule_id(rule: ProcessRule) -> str:
    return str(uuid.uuid5(_RULES, msgspec.json.encode(rule).decode()))


def _moment(moment_ms: int | None) -> float | None:
    return None if moment_ms is None else moment_ms / 1000


def _without_nulls(value: object) -> object:
    if isinstance(value, dict):
        members = cast("dict[str, object]", value)
        return {name: _without_nulls(one) for name, one in members.items() if one is not None}
    if isinstance(value, list):
        return [_without_nulls(one) for one in cast("list[object]", value)]
    return value


StatusAction = Literal["enable", "disable", "archive", "un_archive"]
