from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import structlog
from aiohttp import web

from seekway.applications.definition import AgentUse, Definition, ToolUse
from seekway.applications.records import AppRecord
from seekway.applications.tools.arguments import read_arguments
from seekway.applications.tools.openapi import read_operations, tool_name
from seekway.applications.tools.tool import Calling, RunnableTool
from seekway.applications.tools.toolbox import Toolbox
from seekway.core.caller import ANONYMOUS
from seekway.core.errors import ConfigError, ToolFailed
from seekway.core.sections.tools import ToolProviderSettings

DESCRIPTION: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "Orders", "version": "1"},
    "paths": {
        "/orders/{id}": {
            "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}],
            "get": {
                "operationId": "getOrder",
                "summary": "Find an order",
                "parameters": [
                    {"name": "fields", "in": "query", "schema": {"type": "array", "items": {"type": "string"}}},
                    {"name": "x-lang", "in": "header", "schema": {"type": "string"}},
                    {"$ref": "#/components/parameters/deep"},
                    {"name": "sid", "in": "cookie", "schema": {"type": "string"}},
                ],
            },
            "delete": {"description": "Cancel it."},
        },
        "/orders": {
            "post": {
                "operationId": "create order!",
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Order"}}},
                },
            }
        },
        "/list": {
            "put": {
                "operationId": "putList",
                "requestBody": {
                    "content": {"application/json": {"schema": {"type": "array", "items": {"type": "integer"}}}}
                },
            }
        },
    },
    "components": {
        "parameters": {
            "deep": {"name": "deep", "in": "query", "description": "How deep.", "schema": {"type": "boolean"}}
        },
        "schemas": {
            "Order": {
                "type": "object",
                "required": ["item"],
                "properties": {
                    "item": {"type": "string"},
                    "count": {"type": "integer"},
                    "parent": {"$ref": "#/components/schemas/Order"},
                },
            }
        },
    },
}


def _app(*uses: ToolUse) -> AppRecord:
    return AppRecord("", "a", "a", "A", Definition("agent-chat", agent=AgentUse(tools=uses)))


class _Service:
    """Says what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, str], str]] = []
        self.answer = web.Response(text="ok")

    async def handle(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.asked.append((request.method, request.raw_path, headers, await request.text()))
        return web.Response(status=self.answer.status, headers=self.answer.headers, body=self.answer.body)

    @asynccontextmanager
    async def serving(self) -> AsyncGenerator[str]:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self.handle)
        runner = web.AppRunner(app)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            yield f"http://127.0.0.1:{runner.addresses[0][1]}/api"
        finally:
            await runner.cleanup()


@asynccontextmanager
async def _tools(
    tmp_path: Path, address: str, *uses: ToolUse, document: Mapping[str, Any] = DESCRIPTION
) -> AsyncGenerator[dict[str, RunnableTool]]:
    spec = tmp_path / "orders.json"
    spec.write_text(json.dumps(document))
    settings = ToolProviderSettings(
        name="orders",
        kind="openapi",
        spec=str(spec),
        base_url=address,
        header_env={"authorization": "ORDERS_KEY"},
        max_bytes=1024,
        timeout_s=2,
    )

    async def find(calling: Calling, query: str) -> tuple[()]:
        return ()

    secrets = {"authorization": "Bearer shop-key"}
    toolbox = Toolbox((settings,), lambda _: (secrets, {}), find, lambda: 0.0, structlog.get_logger())
    try:
        yield await toolbox.tools_of(_app(*(uses or (ToolUse("openapi", "orders"),))))
    finally:
        await toolbox.close()


async def _call(tool: RunnableTool, **arguments: Any) -> str:
    read = read_arguments(tool, msgspec.json.encode(arguments).decode())
    return (await tool.call(read, Calling(_app(), ANONYMOUS, "u"))).text


async def test_operations_become_tools_with_what_the_model_fills_in(tmp_path: Path) -> None:
    async with _tools(tmp_path, "http://127.0.0.1:1") as tools:
        assert set(tools) == {"getOrder", "delete__orders_id", "create_order", "putList"}
        get = tools["getOrder"]
        assert (get.label, get.description) == ("Find an order", "Find an order")
        assert set(get.parameters["properties"]) == {"id", "fields", "x-lang", "deep"}
        assert get.parameters["required"] == ["id"]
        assert get.parameters["properties"]["deep"] == {"type": "boolean", "description": "How deep."}
        # What contains itself is left open.
        assert tools["create_order"].parameters["properties"]["parent"] == {}


async def test_arguments_go_where_the_description_says(tmp_path: Path) -> None:
    service = _Service()
    async with service.serving() as address, _tools(tmp_path, address) as tools:
        arguments = {"id": "a/b?c", "fields": ["x y", "&"], "x-lang": "zh", "deep": True}
        assert await _call(tools["getOrder"], **arguments) == "ok"
        await _call(tools["create_order"], item="杯", count=2)
        await _call(tools["putList"], body=[1, 2])
        await _call(tools["delete__orders_id"], id="7")
    (method, path, headers, body), post, put, delete = service.asked
    assert (method, path, body) == ("GET", "/api/orders/a%2Fb%3Fc?fields=x+y&fields=%26&deep=true", "")
    assert (headers["x-lang"], headers["authorization"]) == ("zh", "Bearer shop-key")
    assert (post[0], post[1], json.loads(post[3])) == ("POST", "/api/orders", {"item": "杯", "count": 2})
    assert post[2]["content-type"] == "application/json"
    assert (put[1], put[3], delete[:2]) == ("/api/list", "[1,2]", ("DELETE", "/api/orders/7"))


async def test_what_the_application_fixes_is_sent_and_not_asked_for(tmp_path: Path) -> None:
    service = _Service()
    use = ToolUse("openapi", "orders", "getOrder", parameters={"id": "42"})
    async with service.serving() as address, _tools(tmp_path, address, use) as tools:
        (get,) = tools.values()
        assert "id" not in get.parameters["properties"]
        await _call(get, deep=False)
    assert service.asked[0][1] == "/api/orders/42?deep=false"


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (web.Response(status=500, text="boom"), "answered 500: boom"),
        (web.Response(status=302, headers={"location": "http://127.0.0.1:1/"}), "answered 302"),
    ],
)
async def test_a_failure_is_told_and_redirects_are_not_followed(
    tmp_path: Path, answer: web.Response, says: str
) -> None:
    service = _Service()
    service.answer = answer
    async with service.serving() as address, _tools(tmp_path, address) as tools:
        with pytest.raises(ToolFailed, match=says):
            await _call(tools["getOrder"], id="1")
    assert len(service.asked) == 1


@pytest.mark.parametrize("status", [200, 401])
async def test_a_key_that_the_service_repeats_is_concealed(tmp_path: Path, status: int) -> None:
    service = _Service()
    service.answer = web.Response(status=status, text="got Bearer shop-key, key shop-key")
    async with service.serving() as address, _tools(tmp_path, address) as tools:
        try:
            said = await _call(tools["getOrder"], id="1")
        except ToolFailed as error:
            said = error.message
    assert "got [concealed], key [concealed]" in said
    assert service.asked[0][2]["authorization"] == "Bearer shop-key"


async def test_a_service_that_is_away_is_told(tmp_path: Path) -> None:
    async with _tools(tmp_path, "http://127.0.0.1:1") as tools:
        with pytest.raises(ToolFailed, match="could not be reached"):
            await _call(tools["getOrder"], id="1")


async def test_a_long_answer_is_cut(tmp_path: Path) -> None:
    service = _Service()
    service.answer = web.Response(body=b"x" * 5000)
    async with service.serving() as address, _tools(tmp_path, address) as tools:
        assert await _call(tools["getOrder"], id="1") == "x" * 1024 + "\n[cut: the answer is longer]"


@pytest.mark.parametrize(
    ("arguments", "says"), [({"id": ".."}, "leads elsewhere"), ({"id": "1", "x-lang": "a\r\nb: c"}, "line breaks")]
)
async def test_a_model_cannot_leave_the_path_or_add_headers(
    tmp_path: Path, arguments: dict[str, str], says: str
) -> None:
    service = _Service()
    async with service.serving() as address, _tools(tmp_path, address) as tools:
        with pytest.raises(ToolFailed, match=says):
            await _call(tools["getOrder"], **arguments)
    assert service.asked == []


@pytest.mark.parametrize(
    "document",
    [
        {"swagger": "2.0"},
        {**DESCRIPTION, "paths": {"/a": {"get": {"parameters": [{"$ref": "#/nowhere"}]}}}},
        {**DESCRIPTION, "paths": {"/a": {"get": {"operationId": "x"}}, "/b": {"get": {"operationId": "x"}}}},
        {
            "openapi": "3.0.0",
            "paths": {
                "/a": {
                    "get": {
                        "parameters": [
                            {"name": "a", "in": "query", "schema": json.loads('{"items":' * 60 + "{}" + "}" * 60)}
                        ]
                    }
                }
            },
        },
    ],
)
def test_a_description_with_a_mistake_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="orders"):
        read_operations(document, "orders")


@pytest.mark.parametrize(
    ("text", "name"), [("get-a_B", "get-a_B"), ("查 x!", "x"), ("查", "tool"), ("a" * 99, "a" * 64)]
)
def test_names_are_such_as_models_take(text: str, name: str) -> None:
    assert tool_name(text) == name
