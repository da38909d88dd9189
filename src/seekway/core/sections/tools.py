"""Services whose tools agents may call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from seekway.core.errors import ConfigError


class ToolProviderSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    name: Annotated[str, Meta(min_length=1, description="Name that applications call it by.")]
    kind: Annotated[
        Literal["openapi", "mcp"],
        Meta(description="`openapi`: the operations of an HTTP service; `mcp`: the tools of an MCP server."),
    ]
    spec: Annotated[
        str,
        Meta(description="OpenAPI 3 description of the service, JSON or YAML: a file or an address; for `openapi`."),
    ] = ""
    base_url: Annotated[
        str, Meta(description="Address of the service; empty: the first of the description's servers.")
    ] = ""
    url: Annotated[str, Meta(description="Address of an MCP server that speaks streamable HTTP.")] = ""
    command: Annotated[
        tuple[str, ...], Meta(description="Program that is an MCP server on its standard input and output.")
    ] = ()
    headers: Annotated[dict[str, str], Meta(description="Headers sent with each request.")] = {}
    header_env: Annotated[
        dict[str, str], Meta(description="Headers whose value an environment variable holds, such as a key.")
    ] = {}
    environment: Annotated[
        tuple[str, ...], Meta(description="Environment variables that `command` is given of the gateway's.")
    ] = ()
    timeout_s: Annotated[float, Meta(gt=0, le=600, description="Longest a call may take.")] = 30.0
    max_bytes: Annotated[
        int, Meta(ge=1024, le=1_048_576, description="Longest answer that is given to the model; the rest is cut.")
    ] = 65_536


def check_tools(tools: Sequence[ToolProviderSettings]) -> None:
    """Raises ``ConfigError`` for what does not go together."""
    for one in tools:
        where = f"tools: {one.name}"
        if one.kind == "openapi":
            if not one.spec:
                raise ConfigError(f"{where}: an HTTP service needs its OpenAPI description; set spec.", param="spec")
            if one.url or one.command:
                raise ConfigError(f"{where}: url and command are for MCP servers; use spec and base_url.", param="url")
        elif bool(one.url) == bool(one.command):
            raise ConfigError(f"{where}: an MCP server has either a url or a command; set one.", param="url")
        elif one.spec or one.base_url:
            raise ConfigError(f"{where}: spec and base_url are for HTTP services; use url or command.", param="spec")
        for name in ("base_url", "url"):
            address = getattr(one, name)
            if address and not address.startswith(("http://", "https://")):
                raise ConfigError(f"{where}: {name} must begin with http:// or https://.", param=name)
    names = [one.name for one in tools]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"tools: {name} stands twice.", param="tools")
