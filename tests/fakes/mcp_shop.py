"""An MCP server for tests, on standard input and output where it is run."""

from __future__ import annotations

import os

from mcp.server import MCPServer

server = MCPServer("shop")


@server.tool(title="Find an order")
def find_order(number: int, language: str = "en") -> str:
    """Where an order is."""
    return f"order {number} in {language}"


@server.tool()
def fail() -> str:
    """Always fails."""
    raise ValueError("no stock")


@server.tool()
def long() -> str:
    """Says much."""
    return "x" * 200_000


@server.tool()
def endless() -> str:
    """Says more than anybody keeps."""
    return "x" * 5_000_000


@server.tool()
def secrets() -> str:
    """What it was given of the environment."""
    return ",".join(sorted(os.environ))  # noqa: TID251 - it is what the test asks for


@server.tool()
def die() -> str:
    """Ends the server."""
    os._exit(3)


if __name__ == "__main__":
    server.run("stdio")
