"""Whatever is sent, the answer is one of Dify's refusals."""

from __future__ import annotations

import pytest

from tests.integration.dify.conftest import Client

_HUGE = b"1" + b"0" * 30
_DEEP = b"[" * 900 + b"]" * 900


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/datasets", b'{"name": "a\\u0000b"}'),
        ("POST", "/datasets", b'{"name": "\\ud800"}'),
        ("POST", "/datasets", b'{"name": "\xff"}'),
        ("POST", "/datasets", b'{"name": 5}'),
        ("POST", "/datasets", b'{"name": "x", "retrieval_model": {"search_method": "keyword_search", "top_k": "y"}}'),
        ("POST", "/datasets/{}/document/create-by-text", b'{"name": "x", "text": "y", "process_rule": ' + _DEEP + b"}"),
        (
            "POST",
            "/datasets/{}/document/create-by-text",
            b'{"name": "x", "text": "y", "process_rule": {"mode": "custom", "rules": {"segmentation": {"max_tokens": '
            + _HUGE
            + b"}}}}",
        ),
        ("POST", "/datasets/{}/documents/metadata", b'{"operation_data": {}}'),
        (
            "POST",
            "/datasets/{}/retrieve",
            b'{"query": "x", "retrieval_model": {"search_method": "keyword_search", "top_k": -1}}',
        ),
        (
            "POST",
            "/datasets/{}/retrieve",
            b'{"query": "x", "retrieval_model": {"search_method": "keyword_search", "score_threshold_enabled": true, "score_threshold": 2}}',
        ),
        ("GET", "/datasets/%00", b""),
        ("GET", "/datasets?keyword=%00", b""),
        ("DELETE", "/datasets/tags", b""),
    ],
)
async def test_it_is_refused(client: Client, method: str, path: str, body: bytes) -> None:
    status, _ = await client.refused(method, path.format(await client.dataset()), body)
    assert status in (400, 404)
