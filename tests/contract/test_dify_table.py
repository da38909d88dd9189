"""The table of Dify's endpoints is what asking each of them finds, and names every route that is served."""

from __future__ import annotations

import re

import pytest

from seekway.gateway.dify.knowledge_routes import KNOWLEDGE_ROUTES
from tests.contract.dify_endpoints import KNOWLEDGE
from tests.contract.dify_table import PAGE, knowledge_rows, table, with_table

# dify-dataset-sdk asks so for what Dify answers to GET.
_OURS = {("POST", "/v1/datasets/{}/tags")}


@pytest.mark.timeout(120)
async def test_every_endpoint_does_what_the_table_says() -> None:
    page = PAGE.read_text("utf-8")
    assert with_table(page, table(await knowledge_rows())) == page, "run make dify-table"


def test_every_route_is_asked() -> None:
    asked = {(one.method, f"/v1{path}") for one in KNOWLEDGE for path in (one.path, *one.also)}
    for route in KNOWLEDGE_ROUTES:
        for path in (route.path, *route.also):
            if (route.method, re.sub(r"\{\w+\}", "{}", path)) in _OURS:
                continue
            pattern = re.compile("[^/]+".join(re.escape(part) for part in re.split(r"\{\w+\}", path)))
            assert any(method == route.method and pattern.fullmatch(one) for method, one in asked), (route.method, path)
