"""Chroma: vectors in its HNSW index. It ranks no full text, so there is no hybrid."""

import json
import sys
import time
from pathlib import Path

import chromadb
from measuring import DOCUMENT, corpus, disk, memory, timed


def main(folder: Path, store: Path) -> None:
    passages, questions, vectors, near = corpus(folder)
    before = memory()
    begun = time.perf_counter()
    client = chromadb.PersistentClient(str(store), settings=chromadb.Settings(anonymized_telemetry=False))
    collection = client.create_collection(
        "passages", configuration={"hnsw": {"space": "cosine"}}, embedding_function=None
    )
    for start in range(0, len(passages), DOCUMENT):
        chosen = passages[start : start + DOCUMENT]
        collection.add(
            ids=[str(start + k) for k in range(len(chosen))],
            documents=[one["text"] for one in chosen],
            embeddings=vectors[start : start + len(chosen)],
        )
    ingest_s = time.perf_counter() - begun

    def ask(_, vector):
        return [int(name) for name in collection.query(query_embeddings=[vector], n_results=10)["ids"][0]]

    begun = time.perf_counter()
    ask(questions[0], near[0])
    first_s = time.perf_counter() - begun
    timed(ask, questions[:20], near[:20])
    ms, found = timed(ask, questions, near)
    print(json.dumps({"ingest_s": ingest_s, "first_s": first_s, "rss": memory() - before, "disk": disk(store), "ms": {"semantic": ms}, "found": {"semantic": found}}))  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
