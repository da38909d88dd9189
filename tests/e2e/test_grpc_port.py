"""The client library over gRPC, through a served gateway, to an OpenAI-compatible server over HTTP."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from seekway.client import AsyncClient, Message
from seekway.core.errors import AuthenticationFailed, BackendUnavailable, Overloaded, RateLimited
from tests.conftest import CACHE
from tests.e2e.served import Served
from tests.fakes.upstream import JSON, Exchange, FakeUpstream, Script, content, finish, good_chat

pytestmark = pytest.mark.timeout(300)

_ADDRESS = re.compile(r"address=(127\.0\.0\.1:\d+)")
_ON = re.compile(r"(127\.0\.0\.1:\d+) through the gateway")


def toml(server: FakeUpstream, folder: Path, workers: int = 1) -> str:
    keys = folder / "keys"
    keys.write_text("sk-one\n", "utf-8")
    return f"""
[model_service]
enabled = false

[log]
format = "console"

[gateway]
port = 0
grpc_port = 0
workers = {workers}
api_key_file = "{keys}"

[[backends]]
name = "vllm"
base_url = "{server.url}"
"""


def upstream(*chats: Script) -> FakeUpstream:
    """Lists one model and plays ``chats`` one after another, the last again and again."""
    waiting = list(chats)

    async def script(exchange: Exchange) -> None:
        if exchange.request.method == "GET":
            await exchange.answer(200, b'{"object": "list", "data": [{"id": "deepseek"}]}', JSON)
        else:
            await (waiting.pop(0) if len(waiting) > 1 else waiting[0])(exchange)

    return FakeUpstream(script)


@asynccontextmanager
async def gateway(folder: Path, settings: str) -> AsyncGenerator[tuple[asyncio.subprocess.Process, str]]:
    """``seekway gateway`` and its gRPC address."""
    (folder / "seekway.toml").write_text(settings, "utf-8")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "seekway.app", "gateway", cwd=folder, stderr=subprocess.PIPE
    )
    assert process.stderr
    try:
        async with asyncio.timeout(60):
            found = None
            while not found:
                line = (await process.stderr.readline()).decode()
                assert line, "it ended"
                found = _ADDRESS.search(line)
        yield process, found[1]
    finally:
        if process.returncode is None:
            process.kill()
        # Read to the end, so that nothing is left in the pipe.
        await process.communicate()


async def refused(client: AsyncClient) -> None:
    """Until the gateway takes no more."""
    while True:
        try:
            await client.models()
        except (BackendUnavailable, Overloaded):
            return


async def test_a_grpc_client_reaches_an_openai_compatible_server(tmp_path: Path) -> None:
    async def busy(exchange: Exchange) -> None:
        await exchange.answer(429, b'{"error": {"message": "slow down"}}', JSON, "Retry-After: 30")

    async with (
        upstream(good_chat, good_chat, busy) as server,
        gateway(tmp_path, toml(server, tmp_path)) as (_, address),
    ):
        async with AsyncClient(address, api_key="sk-one") as client:
            assert "".join([piece async for piece in client.generate("Hi?")]) == "Hello world"
            whole = await client.chat([Message("user", "Hi?")], model="deepseek")
            assert (whole.text, whole.finish) == ("Hello world", "stop")
            with pytest.raises(RateLimited):
                await client.chat([Message("user", "Hi?")])
        async with AsyncClient(address, api_key="sk-two") as client:
            with pytest.raises(AuthenticationFailed):
                await client.chat([Message("user", "Hi?")], model="deepseek")
        assert [request.path for request in server.requests if request.method == "POST"] == ["/v1/chat/completions"] * 3


async def test_a_stopping_gateway_lets_a_running_stream_finish(tmp_path: Path) -> None:
    gate = asyncio.Event()

    async def slow(exchange: Exchange) -> None:
        await exchange.stream()
        await exchange.event(content("one"))
        await gate.wait()
        await exchange.event(content("two"))
        await exchange.event(finish())
        await exchange.event("[DONE]")
        await exchange.end()

    async with upstream(slow) as server, gateway(tmp_path, toml(server, tmp_path)) as (process, address):
        async with AsyncClient(address, api_key="sk-one", model="deepseek") as client:
            pieces = client.generate("Hi?")
            assert await anext(pieces) == "one"
            process.terminate()
            async with asyncio.timeout(30), AsyncClient(address, api_key="sk-one") as other:
                await refused(other)
            gate.set()
            assert [piece async for piece in pieces] == ["two"]
        async with asyncio.timeout(30):
            await process.communicate()


async def test_workers_share_the_grpc_port_and_it_survives_one_of_them(tmp_path: Path) -> None:
    async with upstream(good_chat) as server:
        settings = toml(server, tmp_path, workers=2)

        def ask(address: str) -> str:
            async def chat() -> str:
                async with AsyncClient(address, api_key="sk-one", model="deepseek") as client:
                    return (await client.chat([Message("user", "Hi?")])).text

            return asyncio.run(chat())

        def run() -> list[str]:
            with Served(tmp_path, CACHE, settings) as served:
                found = _ON.search("\n".join(served.lines))
                assert found, served.lines
                answers = [ask(found[1]) for _ in range(4)]
                next(child for child in served.children() if "--worker" in child.cmdline()).kill()
                served.wait_for("process_back")
                return [*answers, *(ask(found[1]) for _ in range(4))]

        assert await asyncio.to_thread(run) == ["Hello world"] * 8


def test_without_the_port_grpc_is_not_even_imported() -> None:
    code = "import sys, seekway.app.gateway; sys.exit('grpc' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
