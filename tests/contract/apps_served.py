"""A gateway with applications that answer by a script, for clients of Dify's app endpoints."""

from __future__ import annotations

import asyncio
import itertools
import tempfile
import threading
from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing, asynccontextmanager, contextmanager
from pathlib import Path
from queue import SimpleQueue

from seekway.applications.events import AnswerDelta, AppEvent, Began, FileGiven, ReasoningDelta, ThoughtChanged
from seekway.applications.records import AppRecord, MessageFile, Thought, Variable
from seekway.applications.service import Asked
from seekway.applications.store.app_store import AppStore
from seekway.core.caller import Caller
from seekway.core.errors import EngineCrashed
from seekway.storage.sql.sqlite import SqliteDatabase
from tests.fakes.applications import SOURCE, FakeApplications, Step, an_app
from tests.integration.gateway.served import Served, serving

_MOST_S = 120
_BEGAN_MS = 1_700_000_000_000
_THOUGHT = Thought("", "00000000-0000-0000-0000-000000000001", 1, "Look.", created_at=_BEGAN_MS)
_CALLED = Thought(
    "",
    _THOUGHT.id,
    1,
    "Look.",
    "current_time",
    {"current_time": {"en_US": "Time"}},
    '{"current_time": {}}',
    '{"current_time": "noon"}',
    (),
    _BEGAN_MS,
)
_FILE = MessageFile("00000000-0000-0000-0000-000000000002", "image", "remote_url", "http://127.0.0.1/a.png")
SCRIPTS: dict[str, tuple[Step, ...]] = {
    "agent": (
        ThoughtChanged(_THOUGHT),
        ThoughtChanged(_CALLED),
        FileGiven(MessageFile(_FILE.id, "image", "remote_url", _FILE.url, belongs_to="assistant")),
        AnswerDelta("It is "),
        AnswerDelta("noon."),
    ),
    "breaker": (AnswerDelta("So"), EngineCrashed("The engine crashed; send the question again.")),
    "thinker": (ReasoningDelta("Let me see."), AnswerDelta("Hello"), AnswerDelta(", Ann.")),
}


class ScriptedApps(FakeApplications):
    """Each application has a script of its own; a conversation has a variable."""

    async def ask(self, app: AppRecord, caller: Caller, asked: Asked, /) -> AsyncGenerator[AppEvent, None]:
        async with aclosing(super().ask(app, caller, asked)) as events:
            async for event in events:
                if isinstance(event, Began) and event.conversation and asked.conversation is None:
                    city = Variable(event.conversation, "", "city", "string", "Köln")
                    await self.store.conversations.add_variable(city)
                yield event

    def script_of(self, app: AppRecord) -> tuple[Step, ...]:
        return SCRIPTS.get(app.slug, (AnswerDelta("Hello"), AnswerDelta(", Ann.")))


@asynccontextmanager
async def serving_apps(folder: Path) -> AsyncGenerator[tuple[Served, ScriptedApps]]:
    """No keys are configured: ``app-helper``, ``app-writer``, ``app-agent``, ``app-thinker`` and ``app-breaker`` open what they name."""
    store = AppStore(SqliteDatabase(folder / "applications.sqlite"), itertools.count(_BEGAN_MS, 1000).__next__)
    await store.open()
    for app in (
        an_app(follow_ups=True, files={"enabled": True}),
        an_app("completion", "writer"),
        an_app("agent-chat", "agent"),
        an_app(slug="thinker"),
        an_app(slug="breaker"),
    ):
        await store.apps.create(app)
    apps = ScriptedApps(store)
    apps.sources = (SOURCE,)
    async with serving(most_s=_MOST_S) as served:
        served.front.applications = apps
        yield served, apps
    await store.close()


@contextmanager
def apps_gateway() -> Generator[str, None, None]:
    """Its address, without ``/v1``, in a thread of its own; it serves for two minutes at most."""
    addresses: SimpleQueue[tuple[str, asyncio.AbstractEventLoop, asyncio.Event]] = SimpleQueue()

    async def serve() -> None:
        over = asyncio.Event()
        with tempfile.TemporaryDirectory() as folder:
            async with serving_apps(Path(folder)) as (served, _):
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
