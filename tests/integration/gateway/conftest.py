"""Every promise of the gateway holds on the fast path and on the framework's."""

from __future__ import annotations

import pytest

from seekway.gateway.fast_path import FastHttpProtocol
from seekway.gateway.http_protocol import BoundedHttpProtocol
from tests.integration.gateway import served


@pytest.fixture(autouse=True, params=[FastHttpProtocol, BoundedHttpProtocol], ids=["fast", "asgi"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(served, "PROTOCOL", request.param)
