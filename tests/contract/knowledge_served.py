"""A gateway with a knowledge base, for clients of Dify's knowledge API."""

from __future__ import annotations

import asyncio
import tempfile
import threading
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from queue import SimpleQueue

from seekway.knowledge.knowledge_base import KnowledgeBase
from tests.fakes.backend import FakeBackend, model_info
from tests.fakes.knowledge_base import MODEL, knowledge_base
from tests.integration.gateway.served import Served, serving

_MOST_S = 120


@asynccontextmanager
async def serving_knowledge(folder: Path) -> AsyncGenerator[tuple[Served, KnowledgeBase]]:
    """No keys are configured: any that begins with ``dataset-`` opens."""
    backend = FakeBackend(models=[model_info("fake"), model_info(MODEL)])
    async with knowledge_base(folder) as knowledge, serving(backend, most_s=_MOST_S) as served:
        served.front.knowledge = knowledge
        yield served, knowledge


@contextmanager
def knowledge_gateway() -> Generator[str, None, None]:
    """Its address, without ``/v1``, in a thread of its own; it serves for two minutes at most."""
    addresses: SimpleQueue[tuple[str, asyncio.AbstractEventLoop, asyncio.Event]] = SimpleQueue()

    async def serve() -> None:
        over = asyncio.Event()
        with tempfile.TemporaryDirectory() as folder:
            async with serving_knowledge(Path(folder)) as (served, _):
                addresses.put((f"http://127.0.0.1:{served.port}", asyncio.get_running_loop(), over))
                await over.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    address, loop, over = addresses.get(timeout=20)
    try:
        yield address
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(20)
