"""dify-dataset-sdk: every call of its knowledge API."""

import tempfile
from pathlib import Path

from dify_dataset_sdk import DifyDatasetClient
from dify_dataset_sdk.datasets import RetrievalModel
from dify_dataset_sdk.documents import ProcessRule
from harness import URL, check, main

client = DifyDatasetClient(api_key="dataset-of-a", base_url=URL)
LINES = ProcessRule(
    mode="custom",
    rules={
        "pre_processing_rules": [{"id": "remove_extra_spaces", "enabled": True}],
        "segmentation": {"separator": "\n", "max_tokens": 50},
    },
)
PARENTS = ProcessRule(
    mode="hierarchical",
    rules={
        "pre_processing_rules": [],
        "segmentation": {"separator": "\n\n", "max_tokens": 100},
        "parent_mode": "paragraph",
        "subchunk_segmentation": {"separator": "\n", "max_tokens": 50},
    },
)
POLLS = 5000


def indexed(dataset, batch):
    for _ in range(POLLS):
        (status,) = client.documents.get_indexing_status(dataset, batch).data
        if status.indexing_status in ("completed", "error"):
            return status
    raise RuntimeError(f"still {status.indexing_status}")


def document(dataset, text, **more):
    made = client.documents.create_by_text(dataset, "a.txt", text, process_rule=more.pop("rule", LINES), **more)
    return made.document.id, indexed(dataset, made.batch)


@check
def datasets():
    made = client.datasets.create(name="SDK sets", description="Of the SDK", indexing_technique="high_quality")
    listed = client.datasets.list(keyword="SDK sets", page=1, limit=20)
    model = RetrievalModel(
        search_method="hybrid_search", reranking_enable=False, top_k=4, score_threshold_enabled=False
    )
    changed = client.datasets.update(made.id, name="SDK changed", permission="all_team_members", retrieval_model=model)
    shown = client.datasets.get(made.id)
    deleted = client.datasets.delete(made.id)
    return {
        "made": made.model_dump(),
        "listed": [one["id"] for one in listed.data],
        "changed": changed.model_dump(),
        "shown": shown.model_dump(),
        "deleted": deleted,
    }


@check
def documents():
    dataset = client.datasets.create(name="SDK documents", indexing_technique="high_quality").id
    first, status = document(dataset, "alpha one\nbeta two")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "合同.txt")
        path.write_text("甲方\n乙方\n丙方", encoding="utf-8")
        by_file = client.documents.create_by_file(dataset, path, process_rule=LINES)
        indexed(dataset, by_file.batch)
        other = Path(folder, "other.md")
        other.write_text("# Title\nnew", encoding="utf-8")
        updated_file = client.documents.update_by_file(dataset, by_file.document.id, other, name="Other.md")
        indexed(dataset, updated_file.batch)
    updated = client.documents.update_by_text(dataset, first, name="B", text="gamma\ndelta\neta", process_rule=LINES)
    after = indexed(dataset, updated.batch)
    shown = client.documents.get(dataset, first)
    listed = client.documents.list(dataset, keyword="B")
    switched = [client.documents.batch_update_status(dataset, action, [first]) for action in ("disable", "enable", "archive", "un_archive")]  # fmt: skip
    upload = client.documents.get_upload_file(dataset, first)
    deleted = client.documents.delete(dataset, first)
    return {
        "status": status.model_dump(),
        "by_file": by_file.document.model_dump(),
        "updated_file": updated_file.document.model_dump(),
        "after": after.model_dump(),
        "shown": shown.model_dump(),
        "listed": [one["id"] for one in listed.data],
        "id": first,
        "switched": switched,
        "upload": upload,
        "deleted": deleted,
    }


@check
def segments():
    dataset = client.datasets.create(name="SDK segments", indexing_technique="high_quality").id
    doc, _ = document(dataset, "alpha one\nbeta two")
    made = client.segments.create(dataset, doc, [{"content": "gamma three", "answer": "", "keywords": ["pay"]}])
    listed = client.segments.list(dataset, doc, keyword="gamma", status="completed")
    name = made.data[0].id
    shown = client.segments.get(dataset, doc, name)
    changed = client.segments.update(dataset, doc, name, {"content": "delta four", "keywords": ["x"], "enabled": True})
    found = client.datasets.retrieve(dataset, "delta four")
    deleted = client.segments.delete(dataset, doc, name)
    return {
        "made": made.data[0].model_dump(),
        "listed": [one.content for one in listed.data],
        "shown": shown["data"]["content"],
        "changed": changed["data"]["content"],
        "found": found.model_dump(),
        "deleted": deleted,
    }


@check
def children():
    dataset = client.datasets.create(name="SDK parents", indexing_technique="high_quality").id
    doc, _ = document(dataset, "alpha one\nbeta two\n\ngamma", rule=PARENTS, doc_form="hierarchical_model")
    parent = client.segments.list(dataset, doc).data[0].id
    made = client.segments.create_child_chunk(dataset, doc, parent, "delta four")["data"]
    changed = client.segments.update_child_chunk(dataset, doc, parent, made["id"], "eta five")["data"]
    listed = client.segments.list_child_chunks(dataset, doc, parent)
    found = client.datasets.retrieve(
        dataset,
        "eta five",
        RetrievalModel(search_method="semantic_search", reranking_enable=False, top_k=1, score_threshold_enabled=False),
    )
    deleted = client.segments.delete_child_chunk(dataset, doc, parent, made["id"])
    return {
        "made": made["content"],
        "changed": changed["content"],
        "listed": [one.content for one in listed.data],
        "found": found.records[0].model_dump(),
        "deleted": deleted,
    }


@check
def tags():
    dataset = client.datasets.create(name="SDK tagged", indexing_technique="high_quality").id
    made = client.tags.create("sdk red")
    client.tags.bind_to_dataset(dataset, [made.id])
    bound = [tag.name for tag in client.tags.get_dataset_tags(dataset)]
    changed = client.tags.update(made.id, "sdk blue")
    listed = [tag.model_dump() for tag in client.tags.list() if tag.id == made.id]
    tagged = [one["id"] for one in client.datasets.list(tag_ids=[made.id]).data]
    client.tags.unbind_from_dataset(dataset, made.id)
    left = [tag.name for tag in client.tags.get_dataset_tags(dataset)]
    deleted = client.tags.delete(made.id)
    return {"bound": bound, "changed": changed.name, "listed": listed, "tagged": tagged == [dataset], "left": left, "deleted": deleted}  # fmt: skip


@check
def metadata():
    dataset = client.datasets.create(name="SDK metadata", indexing_technique="high_quality").id
    doc, _ = document(dataset, "alpha one")
    made = client.metadata.create(dataset, "string", "author")
    changed = client.metadata.update(dataset, made.id, "writer")
    value = {"document_id": doc, "metadata_list": [{"id": made.id, "name": "writer", "value": "me"}]}
    given = client.metadata.update_document_metadata(dataset, [value])
    switched = client.metadata.toggle_built_in(dataset, "enable")
    listed = client.metadata.list(dataset)
    filtered = {"search_method": "full_text_search", "reranking_enable": False, "top_k": 4, "score_threshold_enabled": False, "metadata_filtering_conditions": {"logical_operator": "and", "conditions": [{"name": "writer", "comparison_operator": "is", "value": "me"}]}}  # fmt: skip
    found = client.datasets.retrieve(dataset, "alpha", RetrievalModel(**filtered))
    deleted = client.metadata.delete(dataset, made.id)
    return {
        "made": made.model_dump(),
        "changed": changed.name,
        "given": given,
        "switched": switched,
        "listed": listed.model_dump(),
        "found": len(found.records),
        "deleted": deleted,
    }


@check
def models():
    return {"models": client.models.list_embedding_models().data}


@check
def unknown_dataset():
    client.datasets.get("00000000-0000-0000-0000-000000000000")


@check
def taken_name():
    client.datasets.create(name="SDK twice")
    client.datasets.create(name="SDK twice")


@check
def bad_key():
    DifyDatasetClient(api_key="app-of-a", base_url=URL).datasets.list()


main()
