"""``seekway app`` and the applications of the settings' files."""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import PIPE
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web
from click.testing import CliRunner, Result

from seekway.app.app_state import app_store
from seekway.app.application_files import ApplicationFiles
from seekway.app.cli import main
from seekway.core.sections.applications import ApplicationFileSettings
from seekway.core.sections.storage import StorageSettings
from seekway.knowledge.ingest.document_book import DocumentBook
from seekway.knowledge.ingest.records import DatasetRecord
from seekway.storage.sql.sqlite import SqliteDatabase
from tests.unit.applications.dify_yaml.files import AGENT, COMPLETION, OLD_CHAT


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "seekway.toml"
    file.write_text('[storage]\ndirectory = "state"\n')
    (tmp_path / "bot.yml").write_bytes(OLD_CHAT)
    (tmp_path / "writer.yml").write_bytes(COMPLETION)
    return file


def _seekway(config: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["--config", str(config), "app", *arguments])


def test_an_imported_application_is_listed_exported_and_deleted(config: Path) -> None:
    imported = _seekway(config, "import", str(config.parent / "bot.yml"), "--slug", "bot")
    assert imported.exit_code == 0, imported.stderr
    assert imported.stdout == "bot\n"
    assert "There is no model 'gpt-4o' here; the default model answers" in imported.stderr
    (listed,) = json.loads(_seekway(config, "list", "--json").stdout)
    assert (listed["slug"], listed["name"], listed["definition"]["model"]["name"]) == ("bot", "客服助手", "")
    exported = _seekway(config, "export", "bot").stdout
    assert "客服助手" in exported
    (config.parent / "again.yml").write_text(exported)
    assert _seekway(config, "import", str(config.parent / "again.yml"), "--slug", "again").exit_code == 0
    assert _seekway(config, "delete", "bot").exit_code == 0
    assert [one["slug"] for one in json.loads(_seekway(config, "list", "--json").stdout)] == ["again"]


def test_a_slug_is_not_taken_over_unless_that_is_wished(config: Path) -> None:
    bot = str(config.parent / "bot.yml")
    assert _seekway(config, "import", bot, "--slug", "bot").exit_code == 0
    first = json.loads(_seekway(config, "list", "--json").stdout)[0]
    refused = _seekway(config, "import", bot, "--slug", "bot")
    assert refused.exit_code == 1
    assert "--replace" in refused.stderr
    replaced = _seekway(config, "import", bot, "--slug", "bot", "--replace", "--model", "gpt-4o=deepseek-chat")
    assert replaced.exit_code == 0
    again = json.loads(_seekway(config, "list", "--json").stdout)[0]
    assert (again["id"], again["definition"]["model"]["name"]) == (first["id"], "deepseek-chat")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("export", "nobody"), "no application 'nobody'"),
        (("delete", "nobody"), "no application 'nobody'"),
        (("run", "nobody", "hi"), "no application 'nobody'"),
        (("import", "{bot}", "--model", "gpt-4o"), "write NAME=VALUE"),
        (("import", "{bot}", "{writer}", "--slug", "x"), "one file at a time"),
        (("import", "{config}"), "line 2"),
    ],
)
def test_what_is_wrong_is_told_in_a_line(config: Path, arguments: tuple[str, ...], says: str) -> None:
    folder = config.parent
    names = {"bot": str(folder / "bot.yml"), "writer": str(folder / "writer.yml"), "config": str(config)}
    result = _seekway(config, *(one.format(**names) for one in arguments))
    assert result.exit_code == 1
    assert says in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


class _Ended(msgspec.Struct):
    exit_code: int
    stdout: str
    stderr: str


async def _process(config: Path, *arguments: str) -> _Ended:
    """Beside an event loop a command is a process of its own: it takes the signals."""
    command = (sys.executable, "-m", "seekway.app", "--config", str(config), "app", *arguments)
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE)
    out, problem = await process.communicate()
    return _Ended(process.returncode or 0, out.decode(), problem.decode())


class _Follower:
    def __init__(self, folder: Path, **file: Any) -> None:
        self.folder = folder
        self.told: list[tuple[str, Mapping[str, str]]] = []
        self.store = app_store(StorageSettings(directory="state"), folder / "seekway.toml")
        self.database = SqliteDatabase(folder / "knowledge.sqlite")
        self.book = DocumentBook(self.database, lambda: 1)
        self.files = ApplicationFiles(
            [ApplicationFileSettings(file="bot.yml", slug="bot", **file)],
            folder / "seekway.toml",
            self.store,
            self.book,
            tools=(),
            reranks=False,
            models=lambda: ("deepseek-chat",),
            expected=frozenset({("", "handbook")}),
            tell=lambda event, about: self.told.append((event, about)),
        )

    async def close(self) -> None:
        await self.store.close()
        await self.database.close()


async def test_an_application_follows_its_file_and_keeps_its_id(config: Path) -> None:
    folder = config.parent
    follower = _Follower(folder, datasets={"7f5c1d0e-encrypted": "handbook"})
    await follower.book.open()
    try:
        await follower.files.look()
        first = await follower.store.apps.by_slug("", "bot")
        assert first.source == str(folder / "bot.yml")
        assert first.definition.knowledge.datasets == ()
        # The knowledge base that the settings make comes a little later.
        await follower.book.create_dataset(DatasetRecord("", "d1", "handbook"))
        await follower.files.look()
        assert (await follower.store.apps.by_slug("", "bot")).definition.knowledge.datasets == ("d1",)
        (folder / "bot.yml").write_bytes(AGENT)
        await follower.files.look()
        agent = await follower.store.apps.by_slug("", "bot")
        assert (agent.id, agent.definition.mode, agent.created_at) == (first.id, "agent-chat", first.created_at)
        # A mistake is told once, and what there is stays.
        (folder / "bot.yml").write_text("kind: app\n")
        told = len(follower.told)
        await follower.files.look()
        await follower.files.look()
        assert [event for event, _ in follower.told[told:]] == ["application_not_read"]
        assert "bot.yml, line" in follower.told[-1][1]["error"]
        assert await follower.store.apps.by_slug("", "bot") == agent
    finally:
        await follower.close()


async def test_what_is_followed_is_not_deleted_by_hand(config: Path) -> None:
    follower = _Follower(config.parent)
    await follower.book.open()
    try:
        await follower.files.look()
    finally:
        await follower.close()

    refused = await _process(config, "delete", "bot")
    assert refused.exit_code == 1
    assert "kept in step" in refused.stderr


async def test_an_answer_is_shown_with_its_steps_and_sources(config: Path) -> None:
    asked: list[dict[str, Any]] = []
    events = [
        {"event": "agent_thought", "id": "t", "tool": "time", "tool_input": "{}", "observation": ""},
        {"event": "agent_thought", "id": "t", "tool": "time", "tool_input": "{}", "observation": "noon"},
        {"event": "agent_message", "answer": "It is "},
        {"event": "agent_message", "answer": "noon."},
        {
            "event": "message_end",
            "conversation_id": "c1",
            "metadata": {"retriever_resources": [{"position": 1, "document_name": "faq.md", "score": 0.5}]},
        },
    ]

    async def handle(request: web.Request) -> web.StreamResponse:
        asked.append(await request.json())
        asked[-1]["key"] = request.headers["authorization"]
        body = b"event: ping\n\n" + b"".join(b"data: " + msgspec.json.encode(event) + b"\n\n" for event in events)
        return web.Response(body=body, content_type="text/event-stream")

    runner = web.AppRunner(web.Application())
    runner.app.router.add_post("/v1/chat-messages", handle)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"

        await _process(config, "import", str(config.parent / "bot.yml"), "--slug", "bot")
        arguments = ("run", "bot", "Now?", "--url", url, "--input", "name=Li", "--conversation", "c1")
        result = await _process(config, *arguments)
    finally:
        await runner.cleanup()
    assert result.exit_code == 0, result.stderr
    assert result.stdout == "It is noon.\n"
    for part in ("→ time {}", "noon", "[1] faq.md · 0.50", "conversation c1"):
        assert part in result.stderr
    assert asked == [
        {
            "query": "Now?",
            "inputs": {"name": "Li"},
            "user": "terminal",
            "conversation_id": "c1",
            "response_mode": "streaming",
            "key": "Bearer app-bot",
        }
    ]
