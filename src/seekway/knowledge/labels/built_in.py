"""The metadata that a document has by itself where built-in fields are switched on."""

from __future__ import annotations

import msgspec

from seekway.knowledge.index.conditions import MetadataValue
from seekway.knowledge.ingest.records import DocumentRecord
from seekway.knowledge.labels.fields import BUILT_IN


def with_built_in(document: DocumentRecord, uploader: str) -> DocumentRecord:
    """With its own values as they are now; moments are seconds since 1970."""
    own: dict[str, MetadataValue] = {
        "document_name": document.name,
        "uploader": uploader,
        "upload_date": document.created_at // 1000,
        "last_update_date": (document.updated_at or document.created_at) // 1000,
        "source": "file_upload",
    }
    return msgspec.structs.replace(document, metadata={**document.metadata, **own})


def without_built_in(document: DocumentRecord) -> DocumentRecord:
    kept = {name: value for name, value in document.metadata.items() if name not in BUILT_IN}
    return msgspec.structs.replace(document, metadata=kept)
