"""Fields of metadata, and what documents have in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Meta
from starlette.responses import Response

from seekway.core.errors import AlreadyExists, InvalidParameter, NotFound
from seekway.gateway.dify.dataset_wire import WireField, settings_of, with_settings
from seekway.gateway.dify.datasets import describe
from seekway.gateway.dify.errors import DifyRefusal
from seekway.gateway.dify.knowledge_call import KnowledgeCall, Result, done, reply
from seekway.knowledge.index.conditions import MetadataValue
from seekway.knowledge.ingest.records import DocumentKey, DocumentRecord
from seekway.knowledge.labels.built_in import with_built_in, without_built_in
from seekway.knowledge.labels.fields import BUILT_IN, Field, FieldKind, field_value

Name = Annotated[str, Meta(min_length=1, max_length=255)]


class NewField(msgspec.Struct, frozen=True):
    type: FieldKind
    name: Name


class RenamedField(msgspec.Struct, frozen=True):
    name: Name


class CountedField(msgspec.Struct, frozen=True):
    """``use_count`` is what some clients read ``count`` as."""

    id: str
    name: str
    type: str
    count: int
    use_count: int


class Fields(msgspec.Struct, frozen=True):
    doc_metadata: Sequence[CountedField]
    built_in_field_enabled: bool


class BuiltInField(msgspec.Struct, frozen=True):
    name: str
    type: str


class BuiltInFields(msgspec.Struct, frozen=True):
    fields: Sequence[BuiltInField]


class GivenValue(msgspec.Struct, frozen=True):
    id: str | None = None
    name: str | None = None
    value: object = None


class Operation(msgspec.Struct, frozen=True):
    """With ``partial_update`` what is not named stays."""

    document_id: str
    metadata_list: Sequence[GivenValue]
    partial_update: bool | None = False


class Operations(msgspec.Struct, frozen=True):
    operation_data: Sequence[Operation]


async def create_field(call: KnowledgeCall) -> Response:
    """A field of metadata that documents may have."""
    body = await call.body(NewField)
    try:
        made = await call.knowledge.book.fields.create(call.tenant, call.dataset, body.name, body.type)
    except AlreadyExists as error:
        raise _taken(body.name) from error
    return reply(WireField(made.id, made.name, made.kind), 201)


async def list_fields(call: KnowledgeCall) -> Response:
    """With how many documents have a value for each."""
    dataset = await call.knowledge.book.dataset(call.tenant, call.dataset)
    found = await call.knowledge.book.fields.fields(call.tenant, call.dataset)
    data = [CountedField(one.id, one.name, one.kind, one.used, one.used) for one in found]
    return reply(Fields(data, settings_of(dataset).built_in_fields))


async def rename_field(call: KnowledgeCall) -> Response:
    """With the values of documents."""
    name = (await call.body(RenamedField)).name
    try:
        field, documents = await call.knowledge.book.fields.rename(
            call.tenant, call.dataset, call.named("metadata_id"), name
        )
    except AlreadyExists as error:
        raise _taken(name) from error
    await _described(call, documents)
    return reply(WireField(field.id, field.name, field.kind))


async def delete_field(call: KnowledgeCall) -> Response:
    """With the values of documents."""
    await _described(
        call, await call.knowledge.book.fields.delete(call.tenant, call.dataset, call.named("metadata_id"))
    )
    return done()


async def built_in_fields(call: KnowledgeCall) -> Response:
    """Those that documents have by themselves where they are switched on."""
    await call.knowledge.book.dataset(call.tenant, call.dataset)
    return reply(BuiltInFields([BuiltInField(name, kind) for name, kind in BUILT_IN.items()]))


async def switch_built_in(call: KnowledgeCall) -> Response:
    """For all documents of the dataset, and those that come."""
    action = call.named("action")
    if action not in ("enable", "disable"):
        raise InvalidParameter("The action is enable or disable.", param="action")
    on = action == "enable"
    dataset = await call.knowledge.book.dataset(call.tenant, call.dataset)
    # First for what comes, then for what is there.
    settings = msgspec.structs.replace(settings_of(dataset), built_in_fields=on)
    await describe(call, with_settings(dataset, settings))
    for document in await call.knowledge.book.documents(call.tenant, call.dataset):
        plain = without_built_in(document)
        changed = with_built_in(plain, call.account) if on else plain
        if changed.metadata != document.metadata:
            await call.knowledge.indexing.describe(changed)
    return reply(Result())


async def change_metadata(call: KnowledgeCall) -> Response:
    """All are read and checked before the first is changed."""
    body = await call.body(Operations)
    fields = await call.knowledge.book.fields.fields(call.tenant, call.dataset)
    book = call.knowledge.book
    changed: dict[str, DocumentRecord] = {}
    for operation in body.operation_data:
        key = DocumentKey(call.tenant, call.dataset, operation.document_id)
        document = changed.get(operation.document_id) or await book.document(key)
        own = {name: value for name, value in document.metadata.items() if name in BUILT_IN}
        kept = dict(document.metadata) if operation.partial_update else own
        kept |= _values(fields, operation.metadata_list)
        metadata = {name: value for name, value in kept.items() if value is not None}
        changed[operation.document_id] = msgspec.structs.replace(document, metadata=metadata)
    for document in changed.values():
        await call.knowledge.indexing.describe(document)
    return reply(Result())


def _values(fields: Sequence[Field], given: Sequence[GivenValue]) -> dict[str, MetadataValue]:
    """Built-in fields are passed over: clients send back all that they were shown."""
    found: dict[str, MetadataValue] = {}
    for one in given:
        if one.id == "built-in" or (one.id is None and one.name in BUILT_IN):
            continue
        field = next((f for f in fields if (f.id == one.id if one.id else f.name == one.name)), None)
        if field is None:
            raise NotFound(f"There is no metadata field {one.id or one.name!r} in this knowledge base.")
        found[field.name] = field_value(field, one.value)
    return found


async def _described(call: KnowledgeCall, documents: Sequence[str]) -> None:
    for document in documents:
        await call.knowledge.indexing.describe_again(DocumentKey(call.tenant, call.dataset, document))


def _taken(name: str) -> DifyRefusal:
    return DifyRefusal(400, "invalid_param", f"Metadata name {name!r} already exists; choose another.")
