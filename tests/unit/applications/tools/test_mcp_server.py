from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import structlog
import uvicorn

from seekway.applications.definition import AgentUse, Definition, ToolUse
from seekway.applications.records import AppRecord
from seekway.applications.tools.tool import Calling, RunnableTool
from seekway.applications.tools.toolbox import Toolbox
from seekway.core.caller import ANONYMOUS
from seekway.core.errors import ConfigError, ToolFailed
from seekway.core.sections.tools import ToolProviderSettings
from tests.fakes import mcp_shop

SHOP = Path(mcp_shop.__file__)


def _app(*uses: ToolUse) -> AppRecord:
    return AppRecord("", "a", "a", "A", Definition("agent-chat", agent=AgentUse(tools=uses)))


@asynccontextmanager
async def _toolbox(settings: ToolProviderSettings) -> AsyncGenerator[Toolbox]:
    async def find(calling: Calling, query: str) -> tuple[()]:
        return ()

    environment = {"SHOP_MODE": "test"} if settings.environment else {}
    toolbox = Toolbox(
        (settings,), lambda _: (dict(settings.headers), environment), find, lambda: 0.0, structlog.get_logger()
    )
    try:
        yield toolbox
    finally:
        await toolbox.close()


@asynccontextmanager
async def _served() -> AsyncGenerator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        app = mcp_shop.server.streamable_http_app()
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="on"))
        async with asyncio.TaskGroup() as group:
            group.create_task(server.serve(sockets=[listener]))
            try:
                yield f"http://127.0.0.1:{listener.getsockname()[1]}/mcp"
            finally:
                server.should_exit = True


@pytest.fixture(params=["stdio", "http"])
async def settings(request: pytest.FixtureRequest) -> AsyncGenerator[ToolProviderSettings]:
    if request.param == "stdio":
        yield ToolProviderSettings(
            name="shop", kind="mcp", command=(sys.executable, str(SHOP)), environment=("SHOP_MODE",), max_bytes=1024
        )
    else:
        async with _served() as url:
            yield ToolProviderSettings(name="shop", kind="mcp", url=url, max_bytes=1024)


async def _call(tool: RunnableTool, arguments: Mapping[str, Any]) -> str:
    return (await tool.call(arguments, Calling(_app(), ANONYMOUS, "u"))).text


async def test_a_servers_tools_are_found_and_called(settings: ToolProviderSettings) -> None:
    async with _toolbox(settings) as toolbox:
        tools = await toolbox.tools_of(_app(ToolUse("mcp", "shop")))
        assert set(tools) == {"find_order", "fail", "long", "endless", "secrets", "die"}
        find = tools["find_order"]
        assert (find.label, find.description) == ("Find an order", "Where an order is.")
        assert set(find.parameters["properties"]) == {"number", "language"}
        texts = await asyncio.gather(*(_call(find, {"number": n}) for n in range(5)))
        assert texts == [f"order {n} in en" for n in range(5)]


async def test_what_the_application_fixes_is_not_the_models_to_choose(settings: ToolProviderSettings) -> None:
    async with _toolbox(settings) as toolbox:
        use = ToolUse("mcp", "shop", "find_order", parameters={"language": "zh"})
        (find,) = (await toolbox.tools_of(_app(use))).values()
        assert set(find.parameters["properties"]) == {"number"}
        assert await _call(find, {"number": 7, "language": "en"}) == "order 7 in zh"


async def test_a_tool_that_fails_says_so_and_a_long_answer_is_cut(settings: ToolProviderSettings) -> None:
    async with _toolbox(settings) as toolbox:
        tools = await toolbox.tools_of(_app(ToolUse("mcp", "shop")))
        with pytest.raises(ToolFailed, match="fail"):
            await _call(tools["fail"], {})
        text = await _call(tools["long"], {})
        assert text == "x" * 1024 + "\n[cut: the answer is longer]"


async def test_an_answer_without_bound_fails_and_the_next_is_heard(settings: ToolProviderSettings) -> None:
    async with _toolbox(settings) as toolbox:
        tools = await toolbox.tools_of(_app(ToolUse("mcp", "shop")))
        with pytest.raises(ToolFailed, match=r"4,194,304 bytes"):
            await _call(tools["endless"], {})
        assert await _call(tools["find_order"], {"number": 1}) == "order 1 in en"


async def test_a_program_that_writes_a_line_without_end_is_an_error() -> None:
    chatter = "import itertools\nfor _ in itertools.repeat(0):\n    print('x' * 65536, end='', flush=True)"
    program = ToolProviderSettings(name="shop", kind="mcp", command=(sys.executable, "-c", chatter), timeout_s=20)
    # Whoever keeps all of it hears of no end, and gives up in time only.
    async with _toolbox(program) as toolbox:
        with pytest.raises(ToolFailed, match="Connection closed"):
            await toolbox.tools_of(_app(ToolUse("mcp", "shop")))


async def test_a_tool_that_is_not_there_is_told(settings: ToolProviderSettings) -> None:
    async with _toolbox(settings) as toolbox:
        with pytest.raises(ConfigError, match="no tool 'dance'"):
            await toolbox.tools_of(_app(ToolUse("mcp", "shop", "dance")))


async def test_a_program_gets_no_more_of_the_environment_than_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEEPSEEK_API_KEY", "sk-secret")
    program = ToolProviderSettings(
        name="shop", kind="mcp", command=(sys.executable, str(SHOP)), environment=("SHOP_MODE",)
    )
    async with _toolbox(program) as toolbox:
        tools = await toolbox.tools_of(_app(ToolUse("mcp", "shop")))
        names = (await _call(tools["secrets"], {})).split(",")
        assert "SHOP_MODE" in names
        assert "DEEPSEEK_API_KEY" not in names


async def test_a_program_that_died_is_started_again() -> None:
    program = ToolProviderSettings(name="shop", kind="mcp", command=(sys.executable, str(SHOP)), timeout_s=20)
    async with _toolbox(program) as toolbox:
        tools = await toolbox.tools_of(_app(ToolUse("mcp", "shop")))
        with pytest.raises(ToolFailed):
            await _call(tools["die"], {})
        assert await _call(tools["find_order"], {"number": 1}) == "order 1 in en"


@pytest.mark.parametrize(
    "broken",
    [
        ToolProviderSettings(name="shop", kind="mcp", command=("/nowhere/at/all",)),
        ToolProviderSettings(
            name="shop", kind="mcp", command=(sys.executable, "-c", "import sys; sys.stdin.read()"), timeout_s=0.3
        ),
        ToolProviderSettings(name="shop", kind="mcp", command=(sys.executable, "-c", "pass")),
        ToolProviderSettings(name="shop", kind="mcp", url="http://127.0.0.1:1/mcp", timeout_s=5),
    ],
)
async def test_a_server_that_cannot_be_reached_is_an_error_in_time(broken: ToolProviderSettings) -> None:
    async with _toolbox(broken) as toolbox:
        with pytest.raises(ToolFailed, match="shop"):
            await toolbox.tools_of(_app(ToolUse("mcp", "shop")))
