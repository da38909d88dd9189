"""A small handbook, and the three ways to find something in it."""

from __future__ import annotations

from seekway.knowledge.index.passage_index import Dataset, Document, Hit, PassageIndex, Scope
from seekway.knowledge.passage import Passage, searched_texts
from tests.fakes.hashed_embedder import HashedEmbedder

BOOK = Dataset("book", "Handbook", "hashed", 64)
TEXTS = ("退款在七天内原路退回。", "Parcels are delivered within three days.", "保修期为两年，凭发票办理。")


def passages_of(*texts: str) -> list[Passage]:
    return [Passage(k, text, 0, len(text)) for k, text in enumerate(texts, 1)]


async def put(
    index: PassageIndex,
    embedder: HashedEmbedder,
    name: str,
    *passages: Passage,
    tenant: str = "a",
    document: Document | None = None,
) -> None:
    vectors = await embedder.embed([text for passage in passages for text in searched_texts(passage)], "passage")
    await index.put(tenant, "book", document or Document(name, f"{name}.md"), passages, vectors)


async def found_by(index: PassageIndex, tenant: str, hits: list[Hit]) -> list[str]:
    return [one.passage.text for one in await index.load(tenant, hits) if one is not None]


async def all_ways(
    index: PassageIndex, embedder: HashedEmbedder, tenant: str, query: str, scope: Scope | None = None
) -> list[list[str]]:
    scope = scope or Scope(("book",), 5)
    return [
        await found_by(index, tenant, await index.by_keyword(tenant, scope, query)),
        await found_by(index, tenant, await index.by_full_text(tenant, scope, query)),
        await found_by(index, tenant, await index.by_vector(tenant, scope, embedder.vector(query))),
    ]
