"""Which local models a process serves, the demo model fetched first when it is wanted and not there."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from seekway.app.terminal import bytes_bar
from seekway.catalog.demo import DEMO_MODEL, install_demo
from seekway.catalog.resolve import needs_demo, resolve_models
from seekway.catalog.store import Store
from seekway.core.settings import Settings
from seekway.engine.spec import LocalModelSpec


def local_specs(settings: Settings, names: Sequence[str] = ()) -> tuple[LocalModelSpec, ...]:
    """Raises ``ModelFileError`` for a model that is not there and ``DownloadError`` when the demo model cannot be had."""
    if needs_demo(settings, names):
        store = Store(settings.catalog.directory)
        with bytes_bar(DEMO_MODEL) as bar:
            asyncio.run(
                install_demo(store, lambda step, done, total: bar.update(done, total, f"{DEMO_MODEL} ({step})"))
            )
    return resolve_models(settings, names)
