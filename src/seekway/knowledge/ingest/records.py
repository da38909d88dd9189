"""What is known of datasets and documents apart from their passages."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple, get_args

import msgspec

from seekway.knowledge.chunking.process_rule import Form, ProcessRule
from seekway.knowledge.index.conditions import MetadataValue
from seekway.storage.sql.database import Row

Status = Literal["waiting", "parsing", "cleaning", "splitting", "indexing", "completed", "error", "paused"]
"""Dify's ``indexing_status``."""

STATUSES: Final[tuple[Status, ...]] = get_args(Status)
UNDER_WAY: Final[tuple[Status, ...]] = ("parsing", "cleaning", "splitting", "indexing")


class DocumentKey(NamedTuple):
    tenant: str
    dataset: str
    document: str


class DatasetRecord(msgspec.Struct, frozen=True):
    """``settings`` are the API's own (permission, retrieval model and the like), kept as JSON; ``embedding_model`` is empty for economy."""

    tenant: str
    id: str
    name: str
    description: str = ""
    embedding_model: str = ""
    dimensions: int = 0
    settings: str = "{}"
    created_at: int = 0
    updated_at: int = 0


class DocumentRecord(msgspec.Struct, frozen=True):
    """Moments are milliseconds since 1970. ``segments`` are its passages, of which ``segments_done`` are embedded; ``error`` says why it has that status."""

    tenant: str
    dataset: str
    id: str
    position: int
    batch: str
    name: str
    mime: str | None
    digest: str
    size: int
    form: Form
    language: str
    rule: ProcessRule
    metadata: dict[str, MetadataValue]
    enabled: bool
    status: Status
    error: str | None
    characters: int
    tokens: int
    segments: int
    segments_done: int
    created_at: int
    started_at: int | None
    parsed_at: int | None
    cleaned_at: int | None
    split_at: int | None
    completed_at: int | None
    paused_at: int | None
    stopped_at: int | None
    revision: int = 0
    archived: bool = False
    disabled_at: int | None = None
    updated_at: int | None = None

    @property
    def found(self) -> bool:
        """Whether searches find it."""
        return self.enabled and not self.archived

    @property
    def key(self) -> DocumentKey:
        return DocumentKey(self.tenant, self.dataset, self.id)


class NewDocument(msgspec.Struct, frozen=True):
    """A file, or a text given as one (``name`` ending on ``.txt`` or ``mime`` ``text/plain``). ``language`` is of the questions that a model makes.

    With ``by_name`` the dataset knows the file only under the same name.
    """

    name: str
    data: bytes
    mime: str | None = None
    form: Form = "text_model"
    rule: ProcessRule = ProcessRule()
    language: str = "English"
    metadata: dict[str, MetadataValue] = {}
    batch: str = ""
    by_name: bool = False


class Added(msgspec.Struct, frozen=True):
    """``known`` where the dataset had this file already, cut by the same rule: then it is that document."""

    document: DocumentRecord
    known: bool


DATASET_COLUMNS: Final = ", ".join(DatasetRecord.__struct_fields__)
DOCUMENT_COLUMNS: Final = ", ".join(DocumentRecord.__struct_fields__)


def dataset_of(row: Row) -> DatasetRecord:
    return msgspec.convert(dict(zip(DatasetRecord.__struct_fields__, row, strict=True)), DatasetRecord)


def document_of(row: Row) -> DocumentRecord:
    fields: dict[str, object] = dict(zip(DocumentRecord.__struct_fields__, row, strict=True))
    fields["rule"] = msgspec.json.decode(str(fields["rule"]))
    fields["metadata"] = msgspec.json.decode(str(fields["metadata"]))
    fields["enabled"], fields["archived"] = bool(fields["enabled"]), bool(fields["archived"])
    return msgspec.convert(fields, DocumentRecord)
