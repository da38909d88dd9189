"""Asks Dify's endpoints and tells how each does: ``python -m tests.contract.dify_table`` writes the table into docs/reference/dify.md."""

from __future__ import annotations

import asyncio
import json
import re
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, cast

from tests.contract.apps_served import serving_apps
from tests.contract.dify_app_endpoints import APP
from tests.contract.dify_endpoints import KNOWLEDGE, Endpoint
from tests.contract.knowledge_served import serving_knowledge
from tests.integration.gateway.served import Served

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "dify.md"
BEGIN, END = "<!-- made by make dify-table -->", "<!-- the end of what is made -->"
_BOUNDARY = "a-boundary-of-tests"
_PLACEHOLDER = re.compile(r"\{(\w+)\}")


class Row(NamedTuple):
    endpoint: Endpoint
    state: str
    remark: str


async def found(endpoints: Sequence[Endpoint], served: Served, idle: Callable[[], Awaitable[None]]) -> list[Row]:
    """Each is asked in order, those ``also`` after it; ``idle`` returns when what was begun is through.

    Raises ``AssertionError`` for one that neither answers as documented nor is refused in Dify's form where it says that it is ``missing``.
    """
    known: dict[str, str] = {}
    rows: list[Row] = []
    for endpoint in endpoints:
        for path in (endpoint.path, *endpoint.also):
            await _ask(endpoint, path, served, known)
            if endpoint.waits:
                await idle()
        state = "not yet" if endpoint.missing else "differs" if endpoint.differs else "works"
        if endpoint.section:
            rows.append(Row(endpoint, state, endpoint.missing or endpoint.differs))
    return rows


async def _ask(endpoint: Endpoint, path: str, served: Served, known: dict[str, str]) -> None:
    what = f"{endpoint.method} {path}"
    filled = _filled(f"{path}?{endpoint.query}" if endpoint.query else path, known)
    kind, body = _body(endpoint, known)
    headers = (f"authorization: Bearer {_key(endpoint)}", f"content-type: {kind}")
    answer = await served.ask(endpoint.method, f"/v1{filled}", body, headers)
    if endpoint.missing:
        envelope = json.loads(answer.body)
        assert 400 <= answer.status < 500, f"{what}: {answer}"
        assert set(envelope) == {"code", "message", "status"}, f"{what}: {answer}"
        return
    assert answer.status == endpoint.status, f"{what}: {answer}"
    if not (endpoint.members or endpoint.keeps):
        assert bool(answer.body) == (endpoint.status != 204), f"{what}: {answer}"
        return
    whole: object = json.loads(answer.body)
    for place, members in endpoint.members.items():
        there = at(whole, place)
        assert isinstance(there, dict), f"{what}: {place} is {there}"
        lacking = set(members.split()) - cast("dict[str, object]", there).keys()
        assert not lacking, f"{what}: {place} lacks {sorted(lacking)}"
    for name, place in endpoint.keeps.items():
        known[name] = str(at(whole, place))


def at(value: object, place: str) -> object:
    """What stands at ``data.0.id``."""
    for step in filter(None, place.split(".")):
        if isinstance(value, list):
            value = cast("list[object]", value)[int(step)]
        else:
            assert isinstance(value, dict), value
            value = cast("dict[str, object]", value)[step]
    return value


def table(rows: Sequence[Row]) -> str:
    """By section, in the order of each section's first."""
    lines: list[str] = []
    for section in dict.fromkeys(row.endpoint.section for row in rows):
        lines += [f"### {section}", "", "| endpoint | state | remarks |", "|---|---|---|"]
        for endpoint, state, remark in rows:
            if endpoint.section == section:
                also = "".join(f", also `{_tail(path)}`" for path in endpoint.also)
                lines.append(f"| {endpoint.method} `{_shown(endpoint.path)}`{also} | {state} | {remark} |")
        lines.append("")
    return "\n".join(lines)


def with_table(page: str, made: str) -> str:
    before, rest = page.split(BEGIN)
    return f"{before}{BEGIN}\n\n{made}\n{END}{rest.split(END)[1]}"


async def knowledge_rows() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        async with serving_knowledge(Path(folder)) as (served, knowledge):
            return await found(KNOWLEDGE, served, knowledge.ingester.idle)


async def app_rows() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        async with serving_apps(Path(folder)) as (served, _):
            return await found(APP, served, _nothing)


async def every_row() -> list[Row]:
    return [*await app_rows(), *await knowledge_rows()]


async def _nothing() -> None:
    return


def _key(endpoint: Endpoint) -> str:
    """On an open gateway: the name of the application, or any of the knowledge's kind."""
    return "dataset-any" if endpoint.kind == "knowledge" else f"app-{endpoint.app}"


def _body(endpoint: Endpoint, known: Mapping[str, str]) -> tuple[str, bytes]:
    data = b"" if endpoint.body is None else _filled(json.dumps(endpoint.body), known).encode()
    if endpoint.file is None:
        return "application/json", data
    parts = [('name="file"; filename="file.txt"', endpoint.file), *([('name="data"', data)] if data else [])]
    body = b"".join(
        f"--{_BOUNDARY}\r\ncontent-disposition: form-data; {head}\r\n\r\n".encode() + part + b"\r\n"
        for head, part in parts
    )
    return f"multipart/form-data; boundary={_BOUNDARY}", body + f"--{_BOUNDARY}--\r\n".encode()


def _filled(text: str, known: Mapping[str, str]) -> str:
    return _PLACEHOLDER.sub(lambda match: known.get(match[1], match[0]), text)


def _shown(path: str) -> str:
    """With the documentation's own names."""
    return path.replace("{spare_id}", "{dataset_id}").replace("{file_id}", "{document_id}")


def _tail(path: str) -> str:
    return path.rpartition("/")[2]


def main() -> None:
    page = PAGE.read_text("utf-8")
    PAGE.write_text(with_table(page, table(asyncio.run(every_row()))), "utf-8")


if __name__ == "__main__":
    main()
