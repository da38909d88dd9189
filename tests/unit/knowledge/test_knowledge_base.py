"""What those above a knowledge base ask of it as a whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from seekway.core.errors import NotFound
from seekway.knowledge.ingest.records import DatasetRecord, NewDocument
from seekway.knowledge.retrieval.retriever import Retrieval
from tests.fakes.knowledge_base import MODEL, knowledge_base


async def test_a_dataset_without_documents_has_nothing_and_one_that_is_gone_is_not_found(tmp_path: Path) -> None:
    async with knowledge_base(tmp_path) as base:
        empty = await base.create(DatasetRecord("", "e", "empty", embedding_model=MODEL))
        assert await base.retrieve("", (empty.id,), "How long?", Retrieval()) == ()
        full = await base.create(DatasetRecord("", "f", "full", embedding_model=MODEL))
        await base.ingester.add("", full.id, NewDocument("a.txt", b"The warranty is two years."))
        await base.ingester.idle()
        (found,) = await base.retrieve("", (empty.id, full.id), "How long is the warranty?", Retrieval())
        assert found.dataset_id == full.id
        for tenant, dataset in (("", "nothing"), ("other", empty.id)):
            with pytest.raises(NotFound):
                await base.retrieve(tenant, (empty.id, dataset), "How long?", Retrieval())
