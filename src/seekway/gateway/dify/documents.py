"""Documents added and changed, by text and by file."""

from __future__ import annotations

import msgspec
from starlette.responses import Response

from seekway.core.errors import InvalidParameter
from seekway.gateway.dify.dataset_wire import DatasetSettings, settings_of, technique_of, with_settings
from seekway.gateway.dify.datasets import describe, set_technique
from seekway.gateway.dify.document_wire import DocumentAnswer, DocumentBody, wire_document
from seekway.gateway.dify.errors import DifyRefusal
from seekway.gateway.dify.knowledge_call import KnowledgeCall, reply
from seekway.gateway.dify.upload import Upload, read_upload
from seekway.knowledge.chunking.process_rule import Form, ProcessRule, read_process_rule
from seekway.knowledge.ingest.listing import DatasetFigures
from seekway.knowledge.ingest.records import DatasetRecord, DocumentKey, DocumentRecord, NewDocument
from seekway.knowledge.labels.built_in import with_built_in

_TEXT = "text/plain"


async def create_by_text(call: KnowledgeCall) -> Response:
    """A document of a text, indexed in the background."""
    body = await call.body(DocumentBody)
    if body.name is None or not body.name.strip():
        raise InvalidParameter("name is missing.", param="name")
    if body.text is None or not body.text.strip():
        raise InvalidParameter("text is missing.", param="text")
    call.knowledge.check_size(body.name, len(body.text.encode()))
    return await _create(call, body, body.text.encode(), body.name.strip(), _TEXT)


async def create_by_file(call: KnowledgeCall) -> Response:
    """A document of a file, indexed in the background."""
    upload = await _with_file(call)
    return await _create(call, upload.body, upload.file or b"", upload.name, upload.mime)


async def update_by_text(call: KnowledgeCall) -> Response:
    """Without ``text`` the document keeps its file, and is renamed or cut by another rule."""
    body = await call.body(DocumentBody)
    if body.text is not None and not body.text.strip():
        raise InvalidParameter("text is empty.", param="text")
    data = None if body.text is None else body.text.encode()
    if data is not None:
        call.knowledge.check_size(body.name or "The text", len(data))
    return await _update(call, call.document, body, data, body.name, _TEXT)


async def update_by_file(call: KnowledgeCall) -> Response:
    """Without a file it is renamed or cut by another rule."""
    upload = await read_upload(call)
    return await _update(call, call.document, upload.body, upload.file, upload.name or upload.body.name, upload.mime)


async def _with_file(call: KnowledgeCall) -> Upload:
    upload = await read_upload(call)
    if upload.file is None:
        raise DifyRefusal(400, "no_file_uploaded", "Please upload your file.")
    return upload


async def _create(call: KnowledgeCall, body: DocumentBody, data: bytes, name: str, mime: str | None) -> Response:
    if body.original_document_id:
        key = DocumentKey(call.tenant, call.dataset, body.original_document_id)
        return await _update(call, key, body, data, name, mime)
    dataset, settings = await _ready_dataset(call, body)
    rule = body.rule() or _kept_rule(settings)
    new = NewDocument(
        *(name, data, mime, _form_of(body, settings), rule),
        language=body.doc_language or "English",
        by_name=True,
    )
    added = await call.knowledge.ingester.add(call.tenant, dataset.id, new)
    document = added.document
    if settings.built_in_fields and not added.known:
        document = with_built_in(document, call.account)
        await call.knowledge.indexing.describe(document)
    return await answer(call, document)


async def _update(
    call: KnowledgeCall, key: DocumentKey, body: DocumentBody, data: bytes | None, name: str | None, mime: str | None
) -> Response:
    book = call.knowledge.book
    document = await book.document(key)
    if document.archived:
        raise DifyRefusal(403, "archived_document_immutable", "The archived document is not editable.")
    if body.doc_form is not None and body.doc_form != document.form:
        raise InvalidParameter(f"doc_form is {document.form} for this document, and stays so.", param="doc_form")
    title = (name or "").strip() or document.name
    rule = body.rule() or document.rule
    if data is not None or rule != document.rule:
        kept = data is None
        new = NewDocument(
            *(title, await book.file(key) if data is None else data, document.mime if kept else mime),
            *(document.form, rule),
            language=body.doc_language or document.language,
        )
        document = await call.knowledge.ingester.replace(key, new)
    dataset = await book.dataset(call.tenant, key.dataset)
    changed = msgspec.structs.replace(document, name=title)
    if settings_of(dataset).built_in_fields:
        changed = with_built_in(changed, call.account)
    if changed != document:
        await call.knowledge.indexing.describe(changed)
    return await answer(call, await book.document(key))


async def answer(call: KnowledgeCall, document: DocumentRecord) -> Response:
    book = call.knowledge.book
    figures = await book.listing.document_figures(call.tenant, document.dataset, [document.id])
    fields = await book.fields.fields(call.tenant, document.dataset)
    shown = wire_document(call, document, figures.get(document.id), fields)
    return reply(DocumentAnswer(shown, document.batch))


async def _ready_dataset(call: KnowledgeCall, body: DocumentBody) -> tuple[DatasetRecord, DatasetSettings]:
    """The first document says what was left open: how all are indexed, cut and searched."""
    dataset = await call.knowledge.book.dataset(call.tenant, call.dataset)
    figures = await call.knowledge.book.listing.dataset_figures(call.tenant)
    documents = figures.get(dataset.id, DatasetFigures()).documents
    technique = technique_of(dataset, settings_of(dataset), documents)
    if technique is None:
        if body.indexing_technique is None:
            raise InvalidParameter("indexing_technique is required.", param="indexing_technique")
        dataset = await set_technique(call, dataset, body.indexing_technique, body.embedding_model)
    elif not documents and body.indexing_technique not in (None, technique):
        dataset = await set_technique(call, dataset, body.indexing_technique or technique, body.embedding_model)
    elif body.indexing_technique not in (None, technique):
        raise InvalidParameter(
            f"The indexing_technique of this knowledge base is {technique}; leave it out, or add the document to another.",
            param="indexing_technique",
        )
    settings = settings_of(dataset)
    form = _form_of(body, settings) if documents else (body.doc_form or settings.doc_form or "text_model")
    rule = body.rule()
    settled = msgspec.structs.replace(
        settings,
        doc_form=form,
        retrieval_model=settings.retrieval_model or body.retrieval_model,
        process_rule=settings.process_rule if rule is None else msgspec.json.encode(rule).decode(),
    )
    if settled != settings:
        dataset = with_settings(dataset, settled)
        await describe(call, dataset)
    return dataset, settled


def _form_of(body: DocumentBody, settings: DatasetSettings) -> Form:
    """Raises ``InvalidParameter`` where it is another than the dataset's."""
    form = msgspec.convert(settings.doc_form or "text_model", Form)
    if body.doc_form is not None and settings.doc_form and body.doc_form != form:
        raise InvalidParameter(f"doc_form is different from the dataset's, {form}.", param="doc_form")
    return body.doc_form or form


def _kept_rule(settings: DatasetSettings) -> ProcessRule:
    """That of the last document that had one."""
    return read_process_rule(settings.process_rule) if settings.process_rule else ProcessRule()
