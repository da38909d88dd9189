"""Fixtures for every test."""

from __future__ import annotations

import asyncio
from pathlib import Path

import hypothesis
import pytest

from seekway.catalog.demo import install_demo
from seekway.catalog.store import Store

# A busy machine is no finding: how long an example takes is never judged.
hypothesis.settings.register_profile("house", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("house")

CACHE = Path(__file__).resolve().parents[1] / ".cache" / "models"


@pytest.fixture(scope="session")
def demo_model() -> Path:
    """The demo model's GGUF file, fetched once into ``.cache/`` by the code that ``seekway up`` uses."""
    store = Store(CACHE)
    return store.path_of(asyncio.run(install_demo(store)))
