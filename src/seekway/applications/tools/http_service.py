"""Calls of an HTTP service that an OpenAPI description tells of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast
from urllib.parse import quote

import aiohttp
import msgspec
from yarl import URL

from seekway.applications.tools.arguments import without_fixed
from seekway.applications.tools.openapi import Operation
from seekway.applications.tools.tool import Calling, ToolResult
from seekway.core.errors import ToolFailed
from seekway.core.types import JsonSchema

_TOLD: Final = 300


class HttpTool:
    """One operation at ``address``. ``headers`` carry the service's key and are never shown; ``fixed`` arguments are the application's.

    Redirects are not followed: they could lead a request with its key to another place.
    """

    def __init__(
        self,
        operation: Operation,
        address: str,
        session: aiohttp.ClientSession,
        *,
        headers: Mapping[str, str],
        fixed: Mapping[str, Any],
        timeout_s: float,
        most_bytes: int,
    ) -> None:
        self._operation = operation
        self._address = address.rstrip("/")
        self._session = session
        self._headers = headers
        self._fixed = fixed
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._most_bytes = most_bytes
        self.parameters: JsonSchema = without_fixed(operation.parameters, fixed)

    @property
    def name(self) -> str:
        return self._operation.name

    @property
    def label(self) -> str:
        return self._operation.label

    @property
    def description(self) -> str:
        return self._operation.description

    async def call(self, arguments: Mapping[str, Any], calling: Calling) -> ToolResult:
        given = {**arguments, **self._fixed}
        operation = self._operation
        path = operation.path
        query: list[tuple[str, str]] = []
        headers: dict[str, str] = {}
        for name, place in operation.places.items():
            if name not in given:
                continue
            value = given[name]
            if place == "path":
                path = path.replace(f"{{{name}}}", quote(_text(value), safe=""))
            elif place == "query":
                values = cast("list[object]", value) if isinstance(value, list) else [value]
                query += [(name, _text(one)) for one in values]
            else:
                headers[name] = _header(name, _text(value))
        data: bytes | None = None
        if operation.whole_body in given and operation.whole_body:
            data = msgspec.json.encode(given[operation.whole_body])
        elif operation.body:
            data = msgspec.json.encode({name: given[name] for name in operation.body if name in given})
        if data is not None:
            headers["content-type"] = "application/json"
        # A segment that is `..` would leave the description's path.
        if any(segment in (".", "..") for segment in path.split("/")):
            raise ToolFailed(f"The path {path} leads elsewhere; give other values.")
        url = URL(f"{self._address}{path}", encoded=True).extend_query(query)
        return await self._send(operation.method, url, headers | dict(self._headers), data)

    async def _send(self, method: str, url: URL, headers: Mapping[str, str], data: bytes | None) -> ToolResult:
        try:
            async with self._session.request(
                method, url, headers=headers, data=data, timeout=self._timeout, allow_redirects=False
            ) as response:
                body = await read_at_most(response.content, self._most_bytes + 1)
                text = body[: self._most_bytes].decode(response.charset or "utf-8", "replace")
                status = response.status
        except (aiohttp.ClientError, ValueError, LookupError) as error:
            raise ToolFailed(f"{self.name} could not be reached: {type(error).__name__}.") from error
        except TimeoutError as error:
            raise ToolFailed(f"{self.name} did not answer in time.") from error
        if status >= 300:
            raise ToolFailed(f"{self.name} answered {status}: {text[:_TOLD]}")
        return ToolResult(text if len(body) <= self._most_bytes else f"{text}\n[cut: the answer is longer]")


async def read_at_most(stream: aiohttp.StreamReader, most: int) -> bytes:
    """What is left unread is not waited for."""
    parts: list[bytes] = []
    while most > 0 and (part := await stream.read(most)):
        parts.append(part)
        most -= len(part)
    return b"".join(parts)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _header(name: str, value: str) -> str:
    if not value.isprintable():
        raise ToolFailed(f"The header {name} may hold no line breaks or control characters.")
    return value
