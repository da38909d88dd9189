"""Datasets as Dify's clients write and read them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from seekway.core.errors import InvalidParameter
from seekway.gateway.dify.knowledge_call import KnowledgeCall, seconds
from seekway.gateway.dify.retrieval_model import RetrievalModel
from seekway.knowledge.ingest.listing import DatasetFigures
from seekway.knowledge.ingest.records import DatasetRecord
from seekway.knowledge.labels.fields import Field
from seekway.knowledge.labels.tags import Tag

Technique = Literal["high_quality", "economy"]
Permission = Literal["only_me", "all_team_members", "partial_members"]
PROVIDER = "seekway"
"""Of models, for clients that ask whose they are."""


class SummarySetting(msgspec.Struct, frozen=True):
    enable: bool | None = None


class DatasetBody(msgspec.Struct, frozen=True):
    """Of a dataset that is made or changed; what is None stays or is left out."""

    name: Annotated[str, Meta(min_length=1, max_length=255)] | None = None
    description: str | None = None
    indexing_technique: Technique | None = None
    permission: Permission | None = None
    provider: Literal["vendor", "external"] | None = None
    embedding_model: str | None = None
    embedding_model_provider: str | None = None
    retrieval_model: RetrievalModel | None = None
    partial_member_list: Sequence[object] | None = None
    external_knowledge_api_id: str | None = None
    external_knowledge_id: str | None = None
    summary_index_setting: SummarySetting | None = None

    def check(self) -> None:
        """Raises ``InvalidParameter`` for what is not served here."""
        if self.provider == "external" or self.external_knowledge_api_id or self.external_knowledge_id:
            raise InvalidParameter(
                "External knowledge is not served here; make a dataset of your own.", param="provider"
            )
        if self.summary_index_setting is not None and self.summary_index_setting.enable:
            raise InvalidParameter(
                "Summaries of segments are not made here; leave them off.", param="summary_index_setting"
            )


class DatasetSettings(msgspec.Struct, frozen=True, omit_defaults=True):
    """What :attr:`DatasetRecord.settings` holds as JSON."""

    indexing_technique: Technique | None = None
    permission: Permission = "only_me"
    embedding_model_provider: str = ""
    retrieval_model: RetrievalModel | None = None
    partial_member_list: Sequence[object] = ()
    doc_form: str = ""
    built_in_fields: bool = False
    process_rule: str = ""


_SETTINGS = msgspec.json.Decoder(DatasetSettings)


def settings_of(dataset: DatasetRecord) -> DatasetSettings:
    return _SETTINGS.decode(dataset.settings)


def technique_of(dataset: DatasetRecord, settings: DatasetSettings, documents: int) -> Technique | None:
    """None while nobody has said it: the first document does."""
    if dataset.embedding_model:
        return "high_quality"
    return settings.indexing_technique or ("economy" if documents else None)


def with_settings(dataset: DatasetRecord, settings: DatasetSettings) -> DatasetRecord:
    return msgspec.structs.replace(dataset, settings=msgspec.json.encode(settings).decode())


class WireTag(msgspec.Struct, frozen=True):
    id: str
    name: str
    type: str = "knowledge"


class WireField(msgspec.Struct, frozen=True):
    id: str
    name: str
    type: str


class ExternalInfo(msgspec.Struct, frozen=True):
    external_knowledge_id: str | None = None
    external_knowledge_api_id: str | None = None
    external_knowledge_api_name: str | None = None
    external_knowledge_api_endpoint: str | None = None


class ExternalRetrieval(msgspec.Struct, frozen=True):
    top_k: int = 2
    score_threshold: float = 0.0
    score_threshold_enabled: bool = False


class IconInfo(msgspec.Struct, frozen=True):
    icon_type: str = "emoji"
    icon: str = "📙"
    icon_background: str = "#FFF4ED"
    icon_url: str = ""


class WireDataset(msgspec.Struct, frozen=True):
    id: str
    name: str
    description: str
    permission: str
    indexing_technique: str | None
    document_count: int
    word_count: int
    created_by: str
    author_name: str
    created_at: int
    updated_by: str
    updated_at: int
    embedding_model: str | None
    embedding_model_provider: str | None
    embedding_available: bool
    retrieval_model_dict: RetrievalModel
    retrieval_model: RetrievalModel
    tags: Sequence[WireTag]
    doc_form: str | None
    doc_metadata: Sequence[WireField]
    built_in_field_enabled: bool
    total_documents: int
    total_available_documents: int
    partial_member_list: Sequence[object]
    app_count: int = 0
    provider: str = "vendor"
    data_source_type: str = "upload_file"
    summary_index_setting: SummarySetting = SummarySetting(False)
    external_knowledge_info: ExternalInfo = ExternalInfo()
    external_retrieval_model: ExternalRetrieval = ExternalRetrieval()
    pipeline_id: str | None = None
    runtime_mode: str = "general"
    chunk_structure: str | None = None
    icon_info: IconInfo = IconInfo()
    is_published: bool = False
    enable_api: bool = True
    is_multimodal: bool = False


def default_retrieval(dataset: DatasetRecord) -> RetrievalModel:
    return RetrievalModel() if dataset.embedding_model else RetrievalModel(search_method="keyword_search")


def wire_dataset(
    call: KnowledgeCall, dataset: DatasetRecord, figures: DatasetFigures, tags: Sequence[Tag], fields: Sequence[Field]
) -> WireDataset:
    settings = settings_of(dataset)
    retrieval = settings.retrieval_model or default_retrieval(dataset)
    provider = (settings.embedding_model_provider or PROVIDER) if dataset.embedding_model else None
    return WireDataset(
        id=dataset.id,
        name=dataset.name,
        description=dataset.description,
        permission=settings.permission,
        indexing_technique=technique_of(dataset, settings, figures.documents),
        document_count=figures.documents,
        word_count=figures.characters,
        created_by=call.account,
        author_name=call.tenant or PROVIDER,
        created_at=seconds(dataset.created_at),
        updated_by=call.account,
        updated_at=seconds(dataset.updated_at),
        embedding_model=dataset.embedding_model or None,
        embedding_model_provider=provider,
        embedding_available=not dataset.embedding_model or dataset.embedding_model in embedding_models(call),
        retrieval_model_dict=retrieval,
        retrieval_model=retrieval,
        tags=[WireTag(tag.id, tag.name) for tag in tags],
        doc_form=settings.doc_form or None,
        doc_metadata=[WireField(field.id, field.name, field.kind) for field in fields],
        built_in_field_enabled=settings.built_in_fields,
        total_documents=figures.documents,
        total_available_documents=figures.available,
        partial_member_list=settings.partial_member_list,
    )


def embedding_models(call: KnowledgeCall) -> list[str]:
    """Names of those that are served now, that of new datasets first."""
    served = call.front.services.pipeline.routes.served()
    names = [info.id for _, info in served if "embed" in info.capabilities]
    return list(dict.fromkeys((call.knowledge.embedding_model, *names) if call.knowledge.embedding_model else names))
