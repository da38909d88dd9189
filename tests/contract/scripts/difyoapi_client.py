"""dify-oapi2: every call of the knowledge half."""

import importlib
import json
from io import BytesIO

from dify_oapi.client import Client
from dify_oapi.core.model.request_option import RequestOption
from harness import URL, check, main

client = Client.builder().domain(URL).max_retry_count(0).build()
v1 = client.knowledge.v1
option = RequestOption.builder().api_key("dataset-of-a").build()
POLLS = 5000


def model(name, /):
    """A class of the package by its own name; each has a module."""
    module = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")
    return getattr(importlib.import_module(f"dify_oapi.api.knowledge.v1.model.{module}"), name)


def built(kind, /, **values):
    builder = model(kind).builder()
    for field, value in values.items():
        builder = getattr(builder, field)(*value) if isinstance(value, tuple) else getattr(builder, field)(value)
    return builder.build()


def asked(call, kind, /, body=None, **path):
    """The answer as a dict, with its status."""
    if body is not None:
        path["request_body"] = built(f"{kind}RequestBody", **body)
    answer = call(built(f"{kind}Request", **path), option)
    # Some of its classes have no field for what Dify answers; ``body`` is what came.
    body = json.loads(answer.raw.content) if answer.raw.content else None
    return {"status": answer.raw.status_code, "body": body, **answer.model_dump(exclude={"raw"}, exclude_none=True)}


def rule(parents=False):
    lines = built("SegmentationRule", separator="\n\n" if parents else "\n", max_tokens=50)
    rules = {"pre_processing_rules": [], "segmentation": lines}
    if parents:
        rules["parent_mode"] = "paragraph"
    return built("ProcessRule", mode="hierarchical" if parents else "custom", rules=built("ProcessRules", **rules))


def dataset(name):
    return asked(v1.dataset.create, "CreateDataset", {"name": name, "indexing_technique": "high_quality"})["id"]


def indexed(home, batch):
    for _ in range(POLLS):
        request = built("GetBatchIndexingStatusRequest", dataset_id=home, batch=batch)
        # The package looks for the status outside of the list that Dify puts it into.
        status = json.loads(v1.document.get_batch_status(request, option).raw.content)["data"][0]
        if status["indexing_status"] in ("completed", "error"):
            return status
    raise RuntimeError("still indexing")


def document(home, text, **more):
    body = {"name": "a.txt", "text": text, "process_rule": more.pop("rule", rule()), **more}
    made = asked(v1.document.create_by_text, "CreateDocumentByText", body, dataset_id=home)
    indexed(home, made["batch"])
    return made["document"]["id"]


@check
def datasets():
    made = asked(v1.dataset.create, "CreateDataset", {"name": "oapi", "permission": "only_me", "indexing_technique": "high_quality"})  # fmt: skip
    listed = asked(v1.dataset.list, "ListDatasets", page=1, limit=20)
    changed = asked(v1.dataset.update, "UpdateDataset", {"name": "oapi changed"}, dataset_id=made["id"])
    shown = asked(v1.dataset.get, "GetDataset", dataset_id=made["id"])
    deleted = asked(v1.dataset.delete, "DeleteDataset", dataset_id=made["id"])
    return {"made": made, "listed": listed, "changed": changed, "shown": shown, "deleted": deleted}


@check
def documents():
    home = dataset("oapi documents")
    first = document(home, "alpha one\nbeta two")
    data = built("CreateDocumentByFileRequestBodyData", indexing_technique="high_quality", process_rule=rule())
    by_file = asked(v1.document.create_by_file, "CreateDocumentByFile", {"data": data}, dataset_id=home, file=(BytesIO(b"gamma\ndelta"), "b.txt"))  # fmt: skip
    indexed(home, by_file["batch"])
    newer = built("UpdateDocumentByFileRequestBodyData", name="c.txt", process_rule=rule())
    updated_file = asked(v1.document.update_by_file, "UpdateDocumentByFile", {"data": newer}, dataset_id=home, document_id=by_file["document"]["id"], file=(BytesIO(b"eta"), "c.txt"))  # fmt: skip
    indexed(home, updated_file["batch"])
    changed = asked(v1.document.update_by_text, "UpdateDocumentByText", {"name": "B", "text": "new"}, dataset_id=home, document_id=first)  # fmt: skip
    status = indexed(home, changed["batch"])
    place = {"dataset_id": home, "document_id": first}
    return {
        "by_file": by_file,
        "updated_file": updated_file,
        "status": status,
        "shown": asked(v1.document.get, "GetDocument", **place),
        "listed": asked(v1.document.list, "ListDocuments", dataset_id=home),
        "file": asked(v1.document.file_info, "GetUploadFileInfo", **place),
        "switched": asked(
            v1.document.update_status,
            "UpdateDocumentStatus",
            {"document_ids": [first]},
            dataset_id=home,
            action="disable",
        ),
        "deleted": asked(v1.document.delete, "DeleteDocument", **place),
    }


@check
def segments():
    home = dataset("oapi segments")
    place = {"dataset_id": home, "document_id": document(home, "alpha one\nbeta two")}
    content = built("SegmentContent", content="gamma three", answer="", keywords=["pay"])
    made = asked(v1.segment.create, "CreateSegment", {"segments": [content]}, **place)
    one = {**place, "segment_id": made["data"][0]["id"]}
    changed = built("SegmentContent", content="delta four")
    return {
        "made": made,
        "listed": asked(v1.segment.list, "ListSegments", **place),
        "shown": asked(v1.segment.get, "GetSegment", **one),
        "changed": asked(v1.segment.update, "UpdateSegment", {"segment": changed}, **one),
        "found": asked(v1.dataset.retrieve, "RetrieveFromDataset", {"query": "delta four"}, dataset_id=home),
        "deleted": asked(v1.segment.delete, "DeleteSegment", **one),
    }


@check
def children():
    home = dataset("oapi parents")
    doc = document(home, "alpha one\nbeta two\n\ngamma", rule=rule(parents=True), doc_form="hierarchical_model")
    place = {"dataset_id": home, "document_id": doc}
    parent = asked(v1.segment.list, "ListSegments", **place)["data"][0]["id"]
    of_parent = {**place, "segment_id": parent}
    # The package sends a list of chunks where Dify takes one content.
    chunk = importlib.import_module(model("CreateChildChunkRequestBody").__module__).ChunkContent
    made = asked(v1.chunk.create, "CreateChildChunk", {"chunks": [chunk(content="delta four")]}, **of_parent)
    listed = asked(v1.chunk.list, "ListChildChunks", **of_parent)
    one = {**of_parent, "child_chunk_id": listed["data"][0]["id"]}
    return {
        "made": made,
        "listed": listed,
        "changed": asked(v1.chunk.update, "UpdateChildChunk", {"content": "eta"}, **one),
        "deleted": asked(v1.chunk.delete, "DeleteChildChunk", **one),
    }


@check
def tags():
    home = dataset("oapi tagged")
    made = asked(v1.tag.create, "CreateTag", {"name": "oapi red", "type": "knowledge"})
    return {
        "made": made,
        "changed": asked(v1.tag.update, "UpdateTag", {"tag_id": made["id"], "name": "oapi blue"}),
        "bound": asked(v1.tag.bind, "BindTagsToDataset", {"tag_ids": [made["id"]], "target_id": home}),
        "of_dataset": asked(v1.tag.get_dataset_tags, "GetDatasetTags", dataset_id=home),
        "listed": asked(v1.tag.list, "ListTags"),
        "unbound": asked(v1.tag.unbind, "UnbindTagsFromDataset", {"tag_id": made["id"], "target_id": home}),
        "deleted": asked(v1.tag.delete, "DeleteTag", {"tag_id": made["id"]}),
    }


@check
def models():
    return asked(v1.model.embedding_models, "GetTextEmbeddingModels")


main()
