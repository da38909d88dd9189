"""Tools of an MCP server (https://modelcontextprotocol.io/specification), over HTTP or as a child process."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Final, cast

from structlog.typing import FilteringBoundLogger

from seekway.applications.tools.arguments import without_fixed
from seekway.applications.tools.openapi import tool_name
from seekway.applications.tools.tool import Calling, ToolResult
from seekway.core.errors import ConfigError, ToolFailed
from seekway.core.types import JsonSchema

if TYPE_CHECKING:
    from mcp import Client

# Four times the longest answer that settings may let through to a model.
_MOST_MESSAGE: Final = 4 * 1024 * 1024
_CUT: Final = "\n[cut: the answer is longer]"


class McpTool:
    """One tool of ``server``, there called ``remote``."""

    def __init__(
        self, server: McpServer, remote: str, label: str, description: str, schema: JsonSchema, fixed: Mapping[str, Any]
    ) -> None:
        self._server = server
        self._remote = remote
        self._fixed = fixed
        self.name = tool_name(remote)
        self.label = label
        self.description = description
        self.parameters: JsonSchema = without_fixed(schema, fixed)

    @property
    def remote(self) -> str:
        return self._remote

    def with_fixed(self, fixed: Mapping[str, Any]) -> McpTool:
        return McpTool(self._server, self._remote, self.label, self.description, self.parameters, fixed)

    async def call(self, arguments: Mapping[str, Any], calling: Calling) -> ToolResult:
        return await self._server.call(self._remote, {**arguments, **self._fixed})


class McpServer:
    """One connection, made when it is first needed and again after it broke; a task of its own holds it, as the library asks.

    ``command`` is started without the gateway's environment but for ``environment`` and what programs cannot do without; else ``url`` is asked with ``headers``.
    """

    def __init__(
        self,
        name: str,
        *,
        url: str = "",
        headers: Mapping[str, str],
        command: Sequence[str] = (),
        environment: Mapping[str, str],
        timeout_s: float,
        most_bytes: int,
        log: FilteringBoundLogger,
    ) -> None:
        self.name = name
        self._url = url
        self._headers = headers
        self._command = command
        self._environment = environment
        self._timeout_s = timeout_s
        self._most_bytes = most_bytes
        self._log = log
        self._connection: _Connection | None = None
        self._leaving: set[_Connection] = set()
        self._connecting = asyncio.Lock()

    async def tools(self) -> list[McpTool]:
        """All that the server has now. Raises ``ToolFailed`` where it cannot be asked."""
        connection = await self._connect()
        found: list[McpTool] = []
        cursor: str | None = None
        while True:
            page = await self._bounded(connection, connection.client.list_tools(cursor=cursor))
            found += [
                McpTool(
                    self, one.name, one.title or one.name, (one.description or one.name)[:1024], one.input_schema, {}
                )
                for one in page.tools
            ]
            cursor = page.next_cursor
            if not cursor:
                return found

    async def call(self, tool: str, arguments: dict[str, Any]) -> ToolResult:
        connection = await self._connect()
        answer = await self._bounded(connection, connection.client.call_tool(tool, arguments))
        texts = [text for block in answer.content if isinstance(text := getattr(block, "text", None), str)]
        text = "\n".join(texts)
        if len(text) > self._most_bytes:
            text = text[: self._most_bytes] + _CUT
        if answer.is_error:
            raise ToolFailed(f"{tool} failed: {text[:300]}")
        if not text and answer.content:
            raise ToolFailed(f"{tool} answered with nothing that can be read as text.")
        return ToolResult(text)

    async def close(self) -> None:
        if self._connection is not None:
            self._leave(self._connection)
        if self._leaving:
            await asyncio.wait([connection.task for connection in self._leaving])

    def _leave(self, connection: _Connection) -> None:
        """The next call makes another; this one ends by itself."""
        if self._connection is connection:
            self._connection = None
        connection.leave()
        self._leaving = {one for one in self._leaving if not one.over} | {connection}

    async def _connect(self) -> _Connection:
        async with self._connecting:
            if self._connection is None or self._connection.over:
                self._connection = await _Connection.open(self._enter, self._timeout_s, self.name)
                self._log.info("mcp_server_connected", server=self.name)
            return self._connection

    async def _bounded(self, connection: _Connection, asking: Any) -> Any:
        """The library raises what its transport raises; whatever it is, the server could not be asked."""
        try:
            async with asyncio.timeout(self._timeout_s):
                return await asking
        except TimeoutError as error:
            raise ToolFailed(f"The MCP server {self.name} did not answer in time.") from error
        except Exception as error:
            if _broken(error):
                self._leave(connection)
            # What the server says is for who asked; it may hold what was asked.
            self._log.warning("mcp_server_failed", server=self.name, reason=type(error).__name__)
            raise ToolFailed(f"The MCP server {self.name} could not be asked: {_why(error)}.") from error

    async def _enter(self, stack: AsyncExitStack) -> Client:
        try:
            from mcp import Client
            from mcp.client.streamable_http import streamable_http_client

            from seekway.applications.tools.mcp_http import bounded_client
            from seekway.applications.tools.mcp_program import program
        except ImportError as error:
            raise ConfigError("MCP servers need their client: install seekway[mcp].", param="tools") from error
        if self._command:
            child = program(self._command, self._environment, _MOST_MESSAGE)
            return await stack.enter_async_context(Client(child, read_timeout_seconds=self._timeout_s))
        http = bounded_client(self._headers, self._timeout_s, _MOST_MESSAGE)
        await stack.enter_async_context(http)
        transport = streamable_http_client(self._url, http_client=http, max_sse_event_size=_MOST_MESSAGE)
        return await stack.enter_async_context(Client(transport, read_timeout_seconds=self._timeout_s))


class _Connection:
    """A client that is entered and left by one task, and used by all."""

    def __init__(self, client: Client, task: asyncio.Task[None], leave: asyncio.Event) -> None:
        self.client = client
        self.task = task
        self._leave = leave

    @property
    def over(self) -> bool:
        return self.task.done()

    def leave(self) -> None:
        self._leave.set()

    @classmethod
    async def open(
        cls, enter: Callable[[AsyncExitStack], Awaitable[Client]], timeout_s: float, name: str
    ) -> _Connection:
        ready: asyncio.Future[Client] = asyncio.get_running_loop().create_future()
        leave = asyncio.Event()

        async def hold() -> None:
            async with AsyncExitStack() as stack:
                try:
                    client = await enter(stack)
                except BaseException as error:
                    if not ready.done():
                        known = isinstance(error, ConfigError)
                        why = f"The MCP server {name} cannot be reached: {_why(error)}."
                        ready.set_exception(error if known else ToolFailed(why))
                    raise
                ready.set_result(client)
                await leave.wait()

        # Held by the connection, which closes it.
        task = asyncio.get_running_loop().create_task(hold())
        task.add_done_callback(_heard)
        try:
            async with asyncio.timeout(timeout_s):
                client = await ready
        except BaseException as error:
            task.cancel()
            if isinstance(error, TimeoutError):
                raise ToolFailed(f"The MCP server {name} did not answer in time.") from error
            raise
        return cls(client, task, leave)


def _broken(error: Exception) -> bool:
    """Whether the connection is of no use any more; what a server answers with is none of that."""
    from mcp import MCPError
    from mcp_types import CONNECTION_CLOSED

    return not isinstance(error, MCPError) or error.code == CONNECTION_CLOSED


def _why(error: BaseException) -> str:
    from mcp import MCPError

    if isinstance(error, BaseExceptionGroup):
        first = cast("BaseExceptionGroup[BaseException]", error).exceptions[0]
        return _why(first)
    return error.message[:300].rstrip(".") if isinstance(error, MCPError) else type(error).__name__


def _heard(task: asyncio.Task[None]) -> None:
    """What ended it was told to whoever waited, or will be to the next who asks."""
    if not task.cancelled():
        task.exception()
