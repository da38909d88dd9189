"""``python -m tests.fuzz.openapi_run [schemathesis' arguments]``: schemathesis asks a served gateway all that its ``/openapi.json`` allows, and more.

It runs in an environment of its own, which ``make clients`` installs.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from tests.fakes.backend import FakeBackend
from tests.integration.gateway.served import serving

PROGRAM = Path(__file__).resolve().parents[2] / ".cache" / "clients" / "schemathesis" / "bin" / "schemathesis"
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,response_headers_conformance"


def _with_models(document: dict[str, Any]) -> dict[str, Any]:
    """Names of models that are served, where the document takes any: more than a 404 is to be seen."""
    for schema in document["components"]["schemas"].values():
        name = schema.get("properties", {}).get("model", {})
        if name.get("minLength"):
            name["enum"] = ["fake", "short", "nobody"]
    return document


async def attack(arguments: list[str], most_s: float) -> tuple[int, str]:
    """Its exit status, and what it said; ended after ``most_s`` seconds."""
    with TemporaryDirectory() as home:
        async with serving(FakeBackend(), most_s=most_s + 5) as served:
            document = Path(home) / "openapi.json"
            described = (await served.ask("GET", "/openapi.json")).json()
            document.write_bytes(msgspec.json.encode(_with_models(described)))
            url = f"http://127.0.0.1:{served.port}"
            return await _run(document, ["--url", url, "--checks", CHECKS, "--no-color", *arguments], most_s)


async def _run(document: Path, arguments: list[str], most_s: float) -> tuple[int, str]:
    program = await asyncio.create_subprocess_exec(
        *(str(PROGRAM), "run", str(document), *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=document.parent,
    )
    try:
        async with asyncio.timeout(most_s):
            said, _ = await program.communicate()
    finally:
        if program.returncode is None:
            program.kill()
            await program.wait()
    return program.returncode or 0, said.decode("utf-8", "replace")


def main() -> None:
    status, said = asyncio.run(attack(sys.argv[1:], 3600.0))
    sys.stdout.write(said)
    sys.exit(status)


if __name__ == "__main__":
    main()
