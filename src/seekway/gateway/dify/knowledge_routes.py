"""Every route of Dify's knowledge API and what answers it."""

from __future__ import annotations

from typing import Final, NamedTuple

from seekway.gateway.dify import (
    child_chunks,
    datasets,
    document_list,
    documents,
    downloads,
    hit_testing,
    metadata,
    models,
    segments,
    tags,
)
from seekway.gateway.dify.knowledge_call import Handler

_D: Final = "/v1/datasets/{dataset_id}"
_DOC: Final = f"{_D}/documents/{{document_id}}"
_S: Final = f"{_DOC}/segments"
_C: Final = f"{_S}/{{segment_id}}/child_chunks"
_PIPELINE: Final = f"{_D}/pipeline"


class KnowledgeRoute(NamedTuple):
    method: str
    path: str
    handler: Handler
    also: tuple[str, ...] = ()
    """Other paths of the same, which older servers and clients have."""


# A route that names what another takes as a parameter stands before it.
KNOWLEDGE_ROUTES: Final = (
    KnowledgeRoute("POST", "/v1/datasets/tags", tags.create_tag),
    KnowledgeRoute("GET", "/v1/datasets/tags", tags.list_tags),
    KnowledgeRoute("PATCH", "/v1/datasets/tags", tags.rename_tag),
    KnowledgeRoute("DELETE", "/v1/datasets/tags", tags.delete_tag),
    KnowledgeRoute("POST", "/v1/datasets/tags/binding", tags.bind_tags),
    KnowledgeRoute("POST", "/v1/datasets/tags/unbinding", tags.unbind_tags),
    KnowledgeRoute("POST", "/v1/datasets/pipeline/file-upload", models.no_pipeline),
    KnowledgeRoute("POST", "/v1/datasets", datasets.create_dataset),
    KnowledgeRoute("GET", "/v1/datasets", datasets.list_datasets),
    KnowledgeRoute("GET", _D, datasets.show_dataset),
    KnowledgeRoute("PATCH", _D, datasets.change_dataset),
    KnowledgeRoute("DELETE", _D, datasets.delete_dataset),
    KnowledgeRoute("POST", f"{_D}/retrieve", hit_testing.retrieve, (f"{_D}/hit-testing",)),
    KnowledgeRoute("GET", f"{_D}/tags", tags.tags_of_dataset),
    # dify-dataset-sdk asks for them so.
    KnowledgeRoute("POST", f"{_D}/tags", tags.tags_of_dataset),
    KnowledgeRoute("POST", f"{_D}/metadata", metadata.create_field),
    KnowledgeRoute("GET", f"{_D}/metadata", metadata.list_fields),
    KnowledgeRoute("GET", f"{_D}/metadata/built-in", metadata.built_in_fields),
    KnowledgeRoute("POST", f"{_D}/metadata/built-in/{{action}}", metadata.switch_built_in),
    KnowledgeRoute("PATCH", f"{_D}/metadata/{{metadata_id}}", metadata.rename_field),
    KnowledgeRoute("DELETE", f"{_D}/metadata/{{metadata_id}}", metadata.delete_field),
    KnowledgeRoute(
        "POST", f"{_D}/document/create-by-text", documents.create_by_text, (f"{_D}/document/create_by_text",)
    ),
    KnowledgeRoute(
        "POST", f"{_D}/document/create-by-file", documents.create_by_file, (f"{_D}/document/create_by_file",)
    ),
    KnowledgeRoute("GET", f"{_D}/documents", document_list.list_documents),
    KnowledgeRoute("POST", f"{_D}/documents/metadata", metadata.change_metadata),
    KnowledgeRoute("POST", f"{_D}/documents/download-zip", downloads.download_zip),
    KnowledgeRoute("PATCH", f"{_D}/documents/status/{{action}}", document_list.switch_documents),
    KnowledgeRoute("GET", _DOC, document_list.show_document),
    KnowledgeRoute("PATCH", _DOC, documents.update_by_file),
    KnowledgeRoute("DELETE", _DOC, document_list.delete_document),
    KnowledgeRoute("POST", f"{_DOC}/update-by-text", documents.update_by_text, (f"{_DOC}/update_by_text",)),
    KnowledgeRoute("POST", f"{_DOC}/update-by-file", documents.update_by_file, (f"{_DOC}/update_by_file",)),
    KnowledgeRoute("GET", f"{_DOC}/indexing-status", document_list.indexing_status),
    KnowledgeRoute("GET", f"{_DOC}/download", downloads.download),
    KnowledgeRoute("GET", f"{_DOC}/upload-file", downloads.upload_file),
    KnowledgeRoute("POST", _S, segments.create_segments),
    KnowledgeRoute("GET", _S, segments.list_segments),
    KnowledgeRoute("GET", f"{_S}/{{segment_id}}", segments.show_segment),
    KnowledgeRoute("POST", f"{_S}/{{segment_id}}", segments.change_segment),
    KnowledgeRoute("DELETE", f"{_S}/{{segment_id}}", segments.delete_segment),
    KnowledgeRoute("POST", _C, child_chunks.create_child),
    KnowledgeRoute("GET", _C, child_chunks.list_children),
    KnowledgeRoute("PATCH", f"{_C}/{{child_chunk_id}}", child_chunks.change_child),
    KnowledgeRoute("DELETE", f"{_C}/{{child_chunk_id}}", child_chunks.delete_child),
    KnowledgeRoute("GET", f"{_PIPELINE}/datasource-plugins", models.no_pipeline),
    KnowledgeRoute("POST", f"{_PIPELINE}/datasource/nodes/{{node_id}}/run", models.no_pipeline),
    KnowledgeRoute("POST", f"{_PIPELINE}/run", models.no_pipeline),
    KnowledgeRoute("GET", "/v1/workspaces/current/models/model-types/{model_type}", models.list_models),
)
