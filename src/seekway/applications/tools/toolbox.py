"""The tools that there are, and which of them an application has."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import yaml
from structlog.typing import FilteringBoundLogger

from seekway.applications.definition import ToolUse
from seekway.applications.records import AppRecord
from seekway.applications.tools.concealment import concealing
from seekway.applications.tools.current_time import CurrentTime
from seekway.applications.tools.knowledge_search import FindSources, KnowledgeSearch
from seekway.applications.tools.mcp_server import McpServer
from seekway.applications.tools.openapi import Operation, read_operations
from seekway.applications.tools.tool import RunnableTool
from seekway.core.errors import ConfigError, ToolFailed
from seekway.core.sections.tools import ToolProviderSettings

if TYPE_CHECKING:
    import aiohttp

_HTTP: Final = "seekway.applications.tools.http_service"
_MOST_SPEC_BYTES: Final = 4 * 1024 * 1024
Secrets = Callable[[ToolProviderSettings], tuple[dict[str, str], dict[str, str]]]


class Toolbox:
    """``providers`` are asked when one of their tools is first needed. ``secrets`` gives a provider's headers and environment; ``clock`` Unix seconds.

    ``find`` searches an application's knowledge bases.
    """

    def __init__(
        self,
        providers: Sequence[ToolProviderSettings],
        secrets: Secrets,
        find: FindSources,
        clock: Callable[[], float],
        log: FilteringBoundLogger,
    ) -> None:
        self._providers = {one.name: one for one in providers}
        self._secrets = secrets
        self._find = find
        self._clock = clock
        self._log = log
        self._session: aiohttp.ClientSession | None = None
        self._specs: dict[str, tuple[str, tuple[Operation, ...]]] = {}
        self._servers: dict[str, McpServer] = {}
        self._reading = asyncio.Lock()
        if any(one.kind == "openapi" for one in providers):
            # aiohttp comes with it, 8 MB: not without such a tool, and not in the middle of a question.
            import_module(_HTTP)

    async def tools_of(self, app: AppRecord) -> dict[str, RunnableTool]:
        """By name, each once. Raises ``ToolFailed`` or ``ConfigError`` for one that cannot be had: an agent that lacks a tool would make things up."""
        found: dict[str, RunnableTool] = {}
        if app.definition.knowledge.datasets:
            search = KnowledgeSearch(self._find)
            found[search.name] = search
        for use in app.definition.agent.tools:
            if use.enabled:
                for tool in await self._tools(use):
                    found.setdefault(tool.name, tool)
        return found

    async def close(self) -> None:
        for server in self._servers.values():
            await server.close()
        if self._session is not None:
            await self._session.close()

    async def _tools(self, use: ToolUse) -> Sequence[RunnableTool]:
        match use.kind:
            case "builtin":
                if use.name not in ("", CurrentTime.name):
                    raise ConfigError(f"There is no built-in tool {use.name!r}; there is {CurrentTime.name}.")
                return (CurrentTime(self._clock, use.parameters),)
            case "knowledge":
                return (KnowledgeSearch(self._find),)
            case "openapi":
                return concealing(await self._operations(use), self._keys(use.provider, "openapi"))
            case "mcp":
                tools = await self._server(use.provider).tools()
                chosen = [tool.with_fixed(use.parameters) for tool in tools if use.name in ("", tool.remote)]
                return concealing(_some(chosen, use), self._keys(use.provider, "mcp"))

    async def _operations(self, use: ToolUse) -> Sequence[RunnableTool]:
        import aiohttp

        from seekway.applications.tools.http_service import HttpTool

        settings = self._provider(use.provider, "openapi")
        address, operations = await self._spec(settings)
        headers, _ = self._secrets(settings)
        chosen = [one for one in operations if use.name in ("", one.name)]
        if self._session is None:
            self._session = aiohttp.ClientSession(auto_decompress=True, cookie_jar=aiohttp.DummyCookieJar())
        made = [
            HttpTool(
                one,
                settings.base_url or address,
                self._session,
                headers=headers,
                fixed=use.parameters,
                timeout_s=settings.timeout_s,
                most_bytes=settings.max_bytes,
            )
            for one in chosen
        ]
        return _some(made, use)

    async def _spec(self, settings: ToolProviderSettings) -> tuple[str, tuple[Operation, ...]]:
        async with self._reading:
            known = self._specs.get(settings.name)
            if known is None:
                data = await self._spec_bytes(settings)
                document = await asyncio.to_thread(_parsed, data, settings.name)
                known = read_operations(document, settings.name)
                if not (settings.base_url or known[0].startswith(("http://", "https://"))):
                    raise ConfigError(f"tools: {settings.name}: the description names no server; set base_url.")
                self._specs[settings.name] = known
            return known

    async def _spec_bytes(self, settings: ToolProviderSettings) -> bytes:
        if not settings.spec.startswith(("http://", "https://")):
            try:
                return await asyncio.to_thread(_read, settings.spec)
            except OSError as error:
                raise ConfigError(
                    f"tools: {settings.name}: {settings.spec} cannot be read: {error.strerror}."
                ) from error
        import aiohttp

        from seekway.applications.tools.http_service import read_at_most

        timeout = aiohttp.ClientTimeout(total=settings.timeout_s)
        headers, _ = self._secrets(settings)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout, headers=headers) as session,
                session.get(settings.spec, allow_redirects=False) as response,
            ):
                response.raise_for_status()
                data = await read_at_most(response.content, _MOST_SPEC_BYTES + 1)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise ToolFailed(
                f"The description of {settings.name} cannot be fetched: {type(error).__name__}."
            ) from error
        if len(data) > _MOST_SPEC_BYTES:
            raise ConfigError(f"tools: {settings.name}: the description is larger than 4 MB.", param="spec")
        return data

    def _server(self, name: str) -> McpServer:
        settings = self._provider(name, "mcp")
        known = self._servers.get(name)
        if known is None:
            headers, environment = self._secrets(settings)
            known = self._servers[name] = McpServer(
                name,
                url=settings.url,
                headers=headers,
                command=settings.command,
                environment=environment,
                timeout_s=settings.timeout_s,
                most_bytes=settings.max_bytes,
                log=self._log,
            )
        return known

    def _keys(self, name: str, kind: str) -> list[str]:
        """The headers that came from the environment."""
        settings = self._provider(name, kind)
        headers, _ = self._secrets(settings)
        return [headers[header] for header in settings.header_env if header in headers]

    def _provider(self, name: str, kind: str) -> ToolProviderSettings:
        settings = self._providers.get(name)
        if settings is None or settings.kind != kind:
            raise ConfigError(f"The settings have no tools of kind {kind} named {name!r}; add them under [[tools]].")
        return settings


def _read(path: str) -> bytes:
    return Path(path).expanduser().read_bytes()


def _some(tools: Sequence[RunnableTool], use: ToolUse) -> Sequence[RunnableTool]:
    if not tools:
        raise ConfigError(f"{use.provider!r} has no tool {use.name!r}; see its description for those it has.")
    return tools


def _parsed(data: bytes, name: str) -> Mapping[str, Any]:
    try:
        # JSON is YAML, but for what nobody writes in a description.
        document: object = yaml.safe_load(data)
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise ConfigError(f"tools: {name}: the description is neither JSON nor YAML.", param="spec") from error
    if not isinstance(document, dict):
        raise ConfigError(f"tools: {name}: the description is no OpenAPI description.", param="spec")
    return cast("Mapping[str, Any]", document)
