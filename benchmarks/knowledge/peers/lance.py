"""LanceDB: vectors without an index (exact) and its full-text index over terms segmented by Seekway; hybrid with its reciprocal ranks."""

import json
import sys
import time
from pathlib import Path

import lancedb
import pyarrow as pa
from lancedb.rerankers import RRFReranker
from measuring import DOCUMENT, corpus, disk, memory, timed


def main(folder: Path, store: Path) -> None:
    passages, questions, vectors, near = corpus(folder)
    before = memory()
    begun = time.perf_counter()
    kind = pa.schema(
        [
            pa.field("id", pa.int64()),
            pa.field("text", pa.string()),
            pa.field("terms", pa.string()),
            pa.field("vector", pa.list_(pa.float32(), vectors.shape[1])),
        ]
    )
    table = lancedb.connect(str(store)).create_table("passages", schema=kind)
    for start in range(0, len(passages), DOCUMENT):
        rows = [
            {"id": start + k, "text": one["text"], "terms": one["terms"], "vector": vectors[start + k]}
            for k, one in enumerate(passages[start : start + DOCUMENT])
        ]
        table.add(rows)
    table.optimize()
    table.create_fts_index(
        "terms",
        base_tokenizer="whitespace",
        stem=False,
        remove_stop_words=False,
        ascii_folding=False,
        with_position=False,
    )
    ingest_s = time.perf_counter() - begun
    reranker = RRFReranker()

    def numbers(query):
        return [one["id"] for one in query.limit(10).select(["id", "text"]).to_list()]

    ways = {
        "full_text": lambda question, _: numbers(table.search(question["terms"], query_type="fts")),
        "semantic": lambda _, vector: numbers(table.search(vector).distance_type("cosine")),
        "hybrid": lambda question, vector: [
            one["id"]
            for one in table.search(query_type="hybrid")
            .vector(vector)
            .text(question["terms"])
            .distance_type("cosine")
            .rerank(reranker)
            .limit(10)
            .select(["id", "text"])
            .to_list()
        ],
    }
    begun = time.perf_counter()
    ways["semantic"](questions[0], near[0])
    first_s = time.perf_counter() - begun
    timed(ways["hybrid"], questions[:20], near[:20])
    ms, found = {}, {}
    for name, ask in ways.items():
        ms[name], found[name] = timed(ask, questions, near)
    print(json.dumps({"ingest_s": ingest_s, "first_s": first_s, "rss": memory() - before, "disk": disk(store), "ms": ms, "found": found}))  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
