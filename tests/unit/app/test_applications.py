"""The applications of a process."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import pytest
import structlog

from seekway.app.app_state import app_store
from seekway.app.applications import Applications
from seekway.applications.records import Conversation, Message
from seekway.core.sections.storage import StorageSettings
from seekway.core.settings import Settings


def _never() -> NoReturn:
    pytest.fail("nothing is asked")


async def test_an_answer_that_a_killed_process_left_is_told_to_have_failed(tmp_path: Path) -> None:
    storage = StorageSettings(directory=str(tmp_path))
    store = app_store(storage, None)
    conversation = Conversation("app", "c", "ann", "Hi")
    await store.messages.begin(Message("app", "c", "m", "ann", 0, "Hi"), conversation)
    await store.close()
    applications = Applications(Settings(storage=storage), None, _never, _never, None, structlog.get_logger())
    await applications.run()
    await applications.end()
    await applications.close()
    store = app_store(storage, None)
    found = await store.messages.message("app", "ann", "m")
    await store.close()
    assert (found.status, found.answer) == ("error", "")
    assert "send the question again" in found.error


async def test_no_database_is_made_to_find_unfinished_answers(tmp_path: Path) -> None:
    settings = Settings(storage=StorageSettings(directory=str(tmp_path / "state")))
    applications = Applications(settings, None, _never, _never, None, structlog.get_logger())
    assert not applications.member.stands_in, "an application is never the model that stands for another"
    await applications.run()
    await applications.end()
    await applications.close()
    assert not (tmp_path / "state").exists()
