"""A well-behaved OpenAI-compatible server as a process of its own: ``python -m tests.chaos.mock_upstream [--port N] [--interval-ms N]``.

It says its port on standard output, then the number of every request it takes, so that a count survives the process.
It continues a last message of the assistant's (``continue_final_message``), as vLLM and SGLang do, and refuses one that is not the beginning of its answer.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from contextlib import suppress
from typing import Any

from tests.chaos.http_message import read_message
from tests.chaos.tale import MODEL, asked, pieces

_STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


class Answer:
    """One request's answer on its connection."""

    def __init__(self, writer: asyncio.StreamWriter, interval_s: float) -> None:
        self._writer = writer
        self._interval_s = interval_s

    async def json(self, status: int, body: object) -> None:
        data = json.dumps(body).encode()
        head = f"HTTP/1.1 {status} Mock\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
        await self._send(head.encode() + data)

    async def generate(self, body: bytes) -> None:
        taken = asked(body)
        if taken is None:
            await self.json(400, {"error": {"message": "The question has no number."}})
            return
        print(taken[0], flush=True)  # noqa: T201 - the count that the harness reads
        request = json.loads(body)
        tokens = pieces(*taken)
        left = _left(tokens, request)
        if left is None:
            await self.json(400, {"error": {"message": "The last message is not how this answer begins."}})
            return
        usage = {
            "prompt_tokens": 8 + len(tokens) - len(left),
            "completion_tokens": len(left),
            "total_tokens": 8 + len(tokens),
        }
        if request.get("stream"):
            await self._stream(left, usage)
            return
        await asyncio.sleep(self._interval_s * len(left))
        message = {"role": "assistant", "content": "".join(left)}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        await self.json(200, {**_common("chat.completion"), "choices": [choice], "usage": usage})

    async def _stream(self, tokens: list[str], usage: dict[str, int]) -> None:
        await self._send(_STREAM)
        await self._event({"role": "assistant", "content": ""}, None)
        for token in tokens:
            await asyncio.sleep(self._interval_s)
            await self._event({"content": token}, None)
        await self._event({}, "stop")
        await self._chunk(json.dumps({**_common("chat.completion.chunk"), "choices": [], "usage": usage}))
        await self._chunk("[DONE]")
        await self._send(b"0\r\n\r\n")

    async def _event(self, delta: dict[str, str], finish: str | None) -> None:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        await self._chunk(json.dumps({**_common("chat.completion.chunk"), "choices": [choice]}))

    async def _chunk(self, data: str) -> None:
        event = f"data: {data}\n\n".encode()
        await self._send(b"%x\r\n%b\r\n" % (len(event), event))

    async def _send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()


def _common(kind: str) -> dict[str, Any]:
    return {"id": "mock", "object": kind, "created": 0, "model": MODEL}


def _left(tokens: list[str], request: dict[str, Any]) -> list[str] | None:
    """The tokens still to come after what the last message has; None when that is no beginning of the answer."""
    last = request["messages"][-1]
    if last["role"] != "assistant":
        return tokens
    begun: str = last["content"]
    for count in range(len(tokens) + 1):
        if begun == "".join(tokens[:count]):
            return tokens[count:]
    return None


async def serve(port: int, interval_s: float) -> None:
    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                request = await read_message(reader)
                answer = Answer(writer, interval_s)
                if request.start.startswith(b"POST /v1/chat/completions "):
                    await answer.generate(request.body)
                elif request.start.startswith(b"GET /v1/models "):
                    await answer.json(200, {"object": "list", "data": [{"id": MODEL, "object": "model"}]})
                else:
                    await answer.json(404, {"error": {"message": "Nothing here."}})
        writer.close()

    server = await asyncio.start_server(connection, "127.0.0.1", port, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201 - as above
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--interval-ms", type=float, default=3.0)
    arguments = parser.parse_args()
    asyncio.run(serve(arguments.port, arguments.interval_ms / 1000))


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main()
    sys.exit(0)
