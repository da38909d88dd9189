"""A gateway whose models answer by a script, for what a small real model cannot be made to do: think, refuse, break off."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from queue import SimpleQueue

import msgspec

from seekway.core.errors import EngineCrashed, Overloaded
from seekway.core.types import Finish, GenerateRequest, ReasoningDelta, TextDelta, ToolCallDelta, Usage
from tests.fakes.backend import FakeBackend, Step, model_info
from tests.integration.gateway.served import serving

CALLS = (
    ToolCallDelta(0, "t1", "f", '{"city"'),
    ToolCallDelta(0, arguments=': "Köln"}'),
    ToolCallDelta(1, "t2", "f", "{}"),
)
SCRIPTS: dict[str, Sequence[Step]] = {
    "thinker": (
        ReasoningDelta("Let me "),
        ReasoningDelta("look."),
        TextDelta("I look"),
        TextDelta(" it up."),
        *CALLS,
        Usage(20, 9, 8, 3),
        Finish("tool_calls"),
    ),
    "refuser": (TextDelta("I"), Usage(20, 1), Finish("content_filter")),
    "breaker": (TextDelta("So"), EngineCrashed("The engine crashed; send the request again.")),
    "overloaded": (Overloaded("Too much is asked; wait.", retry_after_s=1.0),),
    "estimated": (),
}


def _script(request: GenerateRequest) -> Sequence[Step]:
    if request.model == "echo":
        return (TextDelta(msgspec.json.encode(request.messages).decode()), Usage(1, 1), Finish("stop"))
    return SCRIPTS[request.model]


@contextmanager
def scripted_gateway() -> Generator[str, None, None]:
    """Its address, without ``/v1``; it serves for half a minute at most."""
    addresses: SimpleQueue[tuple[str, asyncio.AbstractEventLoop, asyncio.Event]] = SimpleQueue()

    async def serve() -> None:
        over = asyncio.Event()
        infos = [model_info(name) for name in (*SCRIPTS, "echo")]
        async with serving(FakeBackend(_script, models=infos)) as served:
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
