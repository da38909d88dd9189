"""What the index has of datasets and documents apart from passages, made from the book's records."""

from __future__ import annotations

from seekway.core.errors import AlreadyExists, NotFound
from seekway.knowledge.index.passage_index import Dataset, Document, PassageIndex
from seekway.knowledge.ingest.records import DatasetRecord, DocumentRecord


def indexed(document: DocumentRecord) -> Document:
    return Document(document.id, document.name, document.metadata, document.found)


async def have_dataset(index: PassageIndex, dataset: DatasetRecord) -> None:
    """Made with its first document. Raises ``AlreadyExists`` where one of that name is there that is being deleted."""
    try:
        await index.dataset(dataset.tenant, dataset.id)
    except NotFound:
        made = Dataset(dataset.id, dataset.name, dataset.embedding_model, dataset.dimensions)
        try:
            await index.create(dataset.tenant, made)
        except AlreadyExists:
            # By another document, meanwhile; or the name is another's.
            try:
                await index.dataset(dataset.tenant, dataset.id)
            except NotFound as error:
                raise AlreadyExists(
                    f"The index has another knowledge base {dataset.name!r}; rename this one and try again."
                ) from error
