"""What an answer looks like to Dify's clients: what it cost, what it was made from, and the whole of it in one body."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal
from urllib.parse import quote

import msgspec

from seekway.applications.definition import Mode
from seekway.applications.events import Began
from seekway.applications.records import Cost, Message, MessageFile, Source
from seekway.gateway.dify.app_call import seconds


class WireUsage(msgspec.Struct, frozen=True):
    prompt_tokens: int
    prompt_unit_price: str
    prompt_price_unit: str
    prompt_price: str
    completion_tokens: int
    completion_unit_price: str
    completion_price_unit: str
    completion_price: str
    total_tokens: int
    total_price: str
    currency: str
    latency: float


class WireSource(msgspec.Struct, frozen=True):
    """Dify's ``RetrieverResource``; nothing in it is null."""

    id: str
    message_id: str
    position: int
    dataset_id: str
    dataset_name: str
    document_id: str
    document_name: str
    data_source_type: str
    segment_id: str
    retriever_from: str
    score: float
    hit_count: int
    word_count: int
    segment_position: int
    index_node_hash: str
    content: str
    summary: str
    created_at: int
    doc_metadata: dict[str, Any]


class Account(msgspec.Struct, frozen=True):
    id: str
    name: str


class AnnotationReply(msgspec.Struct, frozen=True):
    id: str
    account: Account


class Metadata(msgspec.Struct, frozen=True, omit_defaults=True):
    """``reasoning_content`` is ours: Dify has no place for it in a body."""

    usage: WireUsage
    retriever_resources: list[WireSource]
    annotation_reply: AnnotationReply | None = None
    reasoning_content: str = ""


class WireMessageFile(msgspec.Struct, frozen=True):
    id: str
    filename: str
    type: str
    url: str
    mime_type: str
    size: int
    transfer_method: str
    belongs_to: Literal["user", "assistant"]
    upload_file_id: str


class WholeAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """``conversation_id`` is left out for completion applications."""

    event: str
    task_id: str
    id: str
    message_id: str
    mode: Mode
    answer: str
    metadata: Metadata
    created_at: int
    conversation_id: str = ""


def wire_usage(cost: Cost) -> WireUsage:
    return WireUsage(
        prompt_tokens=cost.prompt_tokens,
        prompt_unit_price=cost.prompt_price_per_unit,
        prompt_price_unit=cost.unit,
        prompt_price=cost.prompt_price,
        completion_tokens=cost.completion_tokens,
        completion_unit_price=cost.completion_price_per_unit,
        completion_price_unit=cost.unit,
        completion_price=cost.completion_price,
        total_tokens=cost.prompt_tokens + cost.completion_tokens,
        total_price=cost.total_price,
        currency=cost.currency,
        latency=cost.latency_s,
    )


def wire_sources(message: Message) -> list[WireSource]:
    return [_wire_source(message, source) for source in message.sources]


def wire_metadata(message: Message, author: str) -> Metadata:
    reply = AnnotationReply(message.annotation, Account(message.app, author)) if message.annotation else None
    return Metadata(wire_usage(message.cost), wire_sources(message), reply)


def wire_file(base: Callable[[], str], file: MessageFile) -> WireMessageFile:
    """``base`` gives the gateway's address; an uploaded file is read there with the application's key."""
    return WireMessageFile(
        id=file.id,
        filename=file.filename,
        type=file.kind,
        url=file.url or (f"{base()}/v1/files/{quote(file.upload, safe='')}/preview" if file.upload else ""),
        mime_type=file.mime,
        size=file.size,
        transfer_method=file.method,
        belongs_to=file.belongs_to,
        upload_file_id=file.upload,
    )


def whole_answer(began: Began, mode: Mode, message: Message, author: str) -> WholeAnswer:
    metadata = wire_metadata(message, author)
    return WholeAnswer(
        event="message",
        task_id=began.task,
        id=message.id,
        message_id=message.id,
        mode=mode,
        answer=message.answer,
        metadata=msgspec.structs.replace(metadata, reasoning_content=message.reasoning),
        created_at=seconds(message.created_at),
        conversation_id=message.conversation,
    )


def given_files(base: Callable[[], str], files: Sequence[MessageFile]) -> list[WireMessageFile]:
    """Those that the answer came with."""
    return [wire_file(base, file) for file in files if file.belongs_to == "assistant"]


def _wire_source(message: Message, source: Source) -> WireSource:
    return WireSource(
        id=f"{message.id}-{source.position}",
        message_id=message.id,
        position=source.position,
        dataset_id=source.dataset_id,
        dataset_name=source.dataset_name,
        document_id=source.document_id,
        document_name=source.document_name,
        data_source_type="upload_file",
        segment_id=source.segment_id,
        retriever_from="api",
        score=source.score,
        hit_count=source.hit_count,
        word_count=source.word_count,
        segment_position=source.segment_position,
        index_node_hash="",
        content=source.content,
        summary="",
        created_at=seconds(message.created_at),
        doc_metadata=dict(source.metadata),
    )
