"""Dify's endpoints as its documentation has them: how each is asked, and what it must answer.

The table in docs/reference/dify.md is what :mod:`tests.contract.dify_table` finds by asking them in this order.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
Kind = Literal["knowledge", "app"]


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """``{name}`` in ``path``, ``query`` and ``body`` stands for what an earlier one ``keeps``.

    ``members`` are those that the documentation gives to an answer, by the place of the object in it (``""`` for the whole, ``data.0`` for the first of a list);
    ``keeps`` takes values out of the answer by place. ``file`` is sent as a form, with ``body`` in its field ``data``.
    ``differs`` says what is otherwise than in Dify, ``missing`` why it is refused here. One without a ``section`` prepares another, and is not shown.
    """

    method: Method
    path: str
    section: str = ""
    kind: Kind = "knowledge"
    also: tuple[str, ...] = ()
    query: str = ""
    body: object = None
    file: bytes | None = None
    status: int = 200
    members: Mapping[str, str] = {}
    keeps: Mapping[str, str] = {}
    waits: bool = False
    differs: str = ""
    missing: str = ""


_PAGE: Final = "data has_more limit total page"
_DATASET: Final = "id name description provider permission data_source_type indexing_technique app_count document_count word_count created_by author_name created_at updated_by updated_at embedding_model embedding_model_provider embedding_available retrieval_model_dict summary_index_setting tags doc_form external_knowledge_info external_retrieval_model doc_metadata built_in_field_enabled pipeline_id runtime_mode chunk_structure icon_info is_published total_documents total_available_documents enable_api is_multimodal"
_DOCUMENT: Final = "id position data_source_type data_source_info data_source_detail_dict dataset_process_rule_id name created_from created_by created_at tokens indexing_status error enabled disabled_at disabled_by archived display_status word_count hit_count doc_form doc_metadata summary_index_status need_summary"
_STATUS: Final = "id indexing_status processing_started_at parsing_completed_at cleaning_completed_at splitting_completed_at completed_at paused_at error stopped_at completed_segments total_segments"
_SEGMENT: Final = "id position document_id content sign_content answer word_count tokens keywords index_node_id index_node_hash hit_count enabled disabled_at disabled_by status created_by created_at updated_at updated_by indexing_at completed_at error stopped_at child_chunks attachments summary"
_CHILD: Final = "id segment_id content position word_count type created_at updated_at"
_TAG: Final = "id name type binding_count"
_ANSWER: Final = {"": "document batch", "document": _DOCUMENT}
_D: Final = "/datasets/{dataset_id}"
_DOC: Final = f"{_D}/documents/{{document_id}}"
_S: Final = f"{_DOC}/segments"
_C: Final = f"{_S}/{{segment_id}}/child_chunks"
_PARENTS: Final = {
    "mode": "hierarchical",
    "rules": {
        "segmentation": {"separator": "\n\n", "max_tokens": 100},
        "subchunk_segmentation": {"separator": "\n", "max_tokens": 50},
    },
}
_TEXT: Final = "alpha one\nbeta two\n\ngamma three"
_SAME_FILE: Final = "The same file of the same name, cut by the same rule, is the document that is there already."
_NO_PIPELINE: Final = "Knowledge pipelines are not served; the refusal says what to use."
_REPLACED: Final = "What the document had is found until the new is indexed."

DATASETS: Final = (
    Endpoint(
        section="Datasets",
        method="POST",
        path="/datasets",
        body={"name": "Handbook", "indexing_technique": "high_quality", "permission": "only_me"},
        members={"": _DATASET},
        keeps={"dataset_id": "id"},
        differs="`provider: external` and summaries are refused.",
    ),
    Endpoint(
        section="Datasets",
        method="GET",
        path="/datasets",
        query="page=1&limit=20&keyword=hand",
        members={"": _PAGE, "data.0": _DATASET},
        differs="`include_all` changes nothing: there are no members whose datasets would be hidden. `app_count` is 0.",
    ),
    Endpoint(section="Datasets", method="GET", path=_D, members={"": _DATASET}),
    Endpoint(
        section="Datasets",
        method="PATCH",
        path=_D,
        body={"name": "Handbook 2", "retrieval_model": {"search_method": "hybrid_search", "top_k": 4}},
        members={"": _DATASET},
        differs="The indexing technique and the embedding model stay while there are documents. `permission` and `partial_member_list` are kept and shown; who may do what is said by keys.",
    ),
    Endpoint(method="POST", path="/datasets", body={"name": "Spare"}, keeps={"spare_id": "id"}),
    Endpoint(section="Datasets", method="DELETE", path="/datasets/{spare_id}", status=204),
)

DOCUMENTS: Final = (
    Endpoint(
        section="Documents",
        method="POST",
        path=f"{_D}/document/create-by-text",
        also=(f"{_D}/document/create_by_text",),
        body={"name": "Guide.txt", "text": _TEXT, "doc_form": "hierarchical_model", "process_rule": _PARENTS},
        members=_ANSWER,
        keeps={"document_id": "document.id", "batch": "batch"},
        waits=True,
        differs=_SAME_FILE,
    ),
    Endpoint(
        section="Documents",
        method="POST",
        path=f"{_D}/document/create-by-file",
        also=(f"{_D}/document/create_by_file",),
        file=b"delta four\n\neta five",
        body={"process_rule": _PARENTS},
        members=_ANSWER,
        keeps={"file_id": "document.id"},
        waits=True,
        differs=_SAME_FILE,
    ),
    Endpoint(
        section="Documents",
        method="POST",
        path=f"{_DOC}/update-by-text",
        also=(f"{_DOC}/update_by_text",),
        body={"name": "Guide.txt", "text": _TEXT + "\n\nmore"},
        members=_ANSWER,
        waits=True,
        differs=_REPLACED,
    ),
    Endpoint(
        section="Documents",
        method="POST",
        path=f"{_D}/documents/{{file_id}}/update-by-file",
        also=(f"{_D}/documents/{{file_id}}/update_by_file",),
        file=b"theta six",
        members=_ANSWER,
        waits=True,
        differs=_REPLACED,
    ),
    Endpoint(
        section="Documents",
        method="PATCH",
        path=f"{_D}/documents/{{file_id}}",
        file=b"iota seven",
        members=_ANSWER,
        waits=True,
        differs=_REPLACED,
    ),
    Endpoint(
        section="Documents",
        method="GET",
        path=f"{_D}/documents",
        query="page=1&limit=20&keyword=guide&status=available",
        members={"": _PAGE, "data.0": _DOCUMENT},
    ),
    Endpoint(
        section="Documents",
        method="GET",
        path=_DOC,
        query="metadata=all",
        members={
            "": f"{_DOCUMENT} completed_at updated_at doc_type indexing_latency segment_count average_segment_length document_process_rule dataset_process_rule doc_language"
        },
    ),
    Endpoint(
        section="Documents",
        method="GET",
        path=f"{_D}/documents/{{batch}}/indexing-status",
        members={"": "data", "data.0": _STATUS},
        differs="Segments are there when the whole document is indexed, and not one by one.",
    ),
    Endpoint(
        section="Documents",
        method="GET",
        path=f"{_DOC}/download",
        members={"": "url"},
        differs="The address is this gateway's own, signed, and open for five minutes.",
    ),
    Endpoint(
        section="Documents",
        method="GET",
        path=f"{_DOC}/upload-file",
        members={"": "id name size extension url download_url mime_type created_by created_at"},
    ),
    Endpoint(
        section="Documents",
        method="POST",
        path=f"{_D}/documents/download-zip",
        body={"document_ids": ["{document_id}", "{file_id}"]},
    ),
    *(
        Endpoint(
            section="Documents",
            method="PATCH",
            path=f"{_D}/documents/status/{action}",
            body={"document_ids": ["{document_id}"]},
            members={"": "result"},
        )
        for action in ("disable", "enable", "archive", "un_archive")
    ),
    Endpoint(section="Documents", method="DELETE", path=f"{_D}/documents/{{file_id}}", status=204),
)

SEGMENTS: Final = (
    Endpoint(
        section="Segments",
        method="POST",
        path=_S,
        body={"segments": [{"content": "kappa eight", "keywords": ["number"]}]},
        members={"": "data doc_form", "data.0": _SEGMENT},
        keeps={"segment_id": "data.0.id"},
        differs="`attachment_ids` are refused.",
    ),
    Endpoint(
        section="Segments",
        method="GET",
        path=_S,
        query="page=1&limit=20&keyword=kappa&status=completed",
        members={"": f"{_PAGE} doc_form", "data.0": _SEGMENT},
        differs="`keywords` are those given by hand.",
    ),
    Endpoint(
        section="Segments", method="GET", path=f"{_S}/{{segment_id}}", members={"": "data doc_form", "data": _SEGMENT}
    ),
    Endpoint(
        section="Segments",
        method="POST",
        path=f"{_S}/{{segment_id}}",
        body={"segment": {"content": "kappa\nlambda nine", "regenerate_child_chunks": True, "enabled": True}},
        members={"": "data doc_form", "data": _SEGMENT},
        differs="A disabled segment may be changed. `attachment_ids` and `summary` are refused.",
    ),
    Endpoint(
        section="Child chunks",
        method="POST",
        path=_C,
        body={"content": "my nine"},
        members={"": "data", "data": _CHILD},
        keeps={"child_chunk_id": "data.id"},
    ),
    Endpoint(
        section="Child chunks",
        method="GET",
        path=_C,
        query="page=1&limit=20&keyword=nine",
        members={"": "data total total_pages page limit", "data.0": _CHILD},
    ),
    Endpoint(
        section="Child chunks",
        method="PATCH",
        path=f"{_C}/{{child_chunk_id}}",
        body={"content": "ny ten"},
        members={"": "data", "data": _CHILD},
    ),
)

RETRIEVAL: Final = (
    Endpoint(
        section="Retrieval",
        method="POST",
        path=f"{_D}/retrieve",
        also=(f"{_D}/hit-testing",),
        body={
            "query": "ny ten",
            "retrieval_model": {
                "search_method": "hybrid_search",
                "reranking_enable": False,
                "top_k": 2,
                "score_threshold_enabled": False,
            },
        },
        members={
            "": "query records",
            "query": "content",
            "records.0": "segment child_chunks score tsne_position files summary",
            "records.0.segment": f"{_SEGMENT} document",
            "records.0.segment.document": "id data_source_type name doc_type doc_metadata",
            "records.0.child_chunks.0": "id content position score",
        },
        differs="A hybrid is fused by rank where neither weights nor reranking are asked for. Each segment given counts as a hit. `attachment_ids` are refused.",
    ),
)

TAGS: Final = (
    Endpoint(
        section="Tags",
        method="POST",
        path="/datasets/tags",
        body={"name": "red"},
        members={"": _TAG},
        keeps={"tag_id": "id"},
    ),
    Endpoint(section="Tags", method="GET", path="/datasets/tags", members={"0": _TAG}),
    Endpoint(
        section="Tags",
        method="PATCH",
        path="/datasets/tags",
        body={"tag_id": "{tag_id}", "name": "blue"},
        members={"": _TAG},
    ),
    Endpoint(
        section="Tags",
        method="POST",
        path="/datasets/tags/binding",
        body={"tag_ids": ["{tag_id}"], "target_id": "{dataset_id}"},
        status=204,
    ),
    Endpoint(section="Tags", method="GET", path=f"{_D}/tags", members={"": "data total", "data.0": "id name"}),
    Endpoint(
        section="Tags",
        method="POST",
        path="/datasets/tags/unbinding",
        body={"tag_ids": ["{tag_id}"], "target_id": "{dataset_id}"},
        status=204,
    ),
    Endpoint(section="Tags", method="DELETE", path="/datasets/tags", body={"tag_id": "{tag_id}"}, status=204),
)

METADATA: Final = (
    Endpoint(
        section="Metadata",
        method="POST",
        path=f"{_D}/metadata",
        body={"type": "string", "name": "author"},
        status=201,
        members={"": "id name type"},
        keeps={"metadata_id": "id"},
    ),
    Endpoint(
        section="Metadata",
        method="POST",
        path=f"{_D}/documents/metadata",
        body={
            "operation_data": [
                {
                    "document_id": "{document_id}",
                    "metadata_list": [{"id": "{metadata_id}", "name": "author", "value": "me"}],
                    "partial_update": True,
                }
            ]
        },
        members={"": "result"},
        differs="Values are checked against their field's type.",
    ),
    Endpoint(
        section="Metadata",
        method="GET",
        path=f"{_D}/metadata",
        members={"": "doc_metadata built_in_field_enabled", "doc_metadata.0": "id name type count"},
    ),
    Endpoint(
        section="Metadata",
        method="PATCH",
        path=f"{_D}/metadata/{{metadata_id}}",
        body={"name": "writer"},
        members={"": "id name type"},
    ),
    Endpoint(section="Metadata", method="DELETE", path=f"{_D}/metadata/{{metadata_id}}", status=204),
    Endpoint(
        section="Metadata",
        method="GET",
        path=f"{_D}/metadata/built-in",
        members={"": "fields", "fields.0": "name type"},
    ),
    *(
        Endpoint(section="Metadata", method="POST", path=f"{_D}/metadata/built-in/{action}", members={"": "result"})
        for action in ("enable", "disable")
    ),
)

OTHERS: Final = (
    *(
        Endpoint(
            section="Models",
            method="GET",
            path=f"/workspaces/current/models/model-types/{kind}",
            members={"": "data", **({} if kind == "tts" else {"data.0": "provider label icon_small status models"})},
            differs="One provider, `seekway`, has all models." if kind != "tts" else "The list is empty.",
        )
        for kind in ("text-embedding", "rerank", "llm", "tts")
    ),
    Endpoint(
        section="Pipelines", method="POST", path="/datasets/pipeline/file-upload", file=b"x", missing=_NO_PIPELINE
    ),
    Endpoint(section="Pipelines", method="GET", path=f"{_D}/pipeline/datasource-plugins", missing=_NO_PIPELINE),
    Endpoint(
        section="Pipelines",
        method="POST",
        path=f"{_D}/pipeline/datasource/nodes/node/run",
        body={"response_mode": "blocking"},
        missing=_NO_PIPELINE,
    ),
    Endpoint(
        section="Pipelines",
        method="POST",
        path=f"{_D}/pipeline/run",
        body={"response_mode": "blocking"},
        missing=_NO_PIPELINE,
    ),
)

ENDINGS: Final = (
    Endpoint(section="Child chunks", method="DELETE", path=f"{_C}/{{child_chunk_id}}", status=204),
    Endpoint(section="Segments", method="DELETE", path=f"{_S}/{{segment_id}}", status=204),
)

KNOWLEDGE: Final = (*DATASETS, *DOCUMENTS, *SEGMENTS, *RETRIEVAL, *TAGS, *METADATA, *OTHERS, *ENDINGS)
