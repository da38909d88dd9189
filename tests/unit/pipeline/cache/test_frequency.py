"""The most frequent questions are kept on demand, bounded, for nobody else to read, and can be asked again as they were."""

from __future__ import annotations

import asyncio
import io
import os
from pathlib import Path

import msgspec

from seekway.core.sections.log import LogSettings
from seekway.core.types import GenerateRequest, Message, Sampling, Thinking, Tool
from seekway.gateway.dialects.openai_chat import read_chat
from seekway.observability.logging import make_logger
from seekway.pipeline.cache.frequency import FrequencyBook, read_frequencies
from seekway.pipeline.caller import Caller
from tests.unit.pipeline.cache.asked import ON, AskedCache, answer_of


def make(path: Path, entries: int = 10) -> tuple[AskedCache, FrequencyBook, io.StringIO]:
    log = io.StringIO()
    book = FrequencyBook(path, entries, make_logger(LogSettings(), log))
    return AskedCache(ON, frequency=book), book, log


async def ask(cache: AskedCache, text: str, times: int = 1, **fields: object) -> None:
    for _ in range(times):
        asked = await cache.ask(text, **fields).look()  # pyright: ignore[reportArgumentType] - passed on as it came
        if asked.exchange.answer is None:
            asked.give(answer_of())


async def test_hits_and_misses_are_counted_and_written_the_most_frequent_first(tmp_path: Path) -> None:
    path = tmp_path / "questions.jsonl"
    cache, book, _ = make(path)
    await ask(cache, "seldom")
    await ask(cache, "often", 5, caller=Caller("k", "t"))
    await book.save()
    found = read_frequencies(path)
    assert [(one.count, one.tenant, one.body["messages"][0]["content"]) for one in found] == [
        (5, "tenant:t", "often"),
        (1, "open", "seldom"),
    ]
    assert path.stat().st_mode & 0o777 == 0o600
    assert {entry.name for entry in os.scandir(tmp_path)} == {path.name}


async def test_a_kept_question_asks_the_same_again(tmp_path: Path) -> None:
    cache, book, _ = make(tmp_path / "q")
    sampling = Sampling(0.0, 0.9, 5, 0.1, 0.2, 0.3, 99, ("END",), 7, 2)
    messages = (Message("system", "Be brief."), Message("user", "q", name="n"))
    await ask(cache, "", messages=messages, sampling=sampling, thinking=Thinking(False, "low"))
    body = msgspec.json.encode(book.most()[0].body)
    again, _ = read_chat(body, "id")
    wanted = GenerateRequest("id", "m", messages, sampling=sampling, thinking=Thinking(False, "low"))
    assert msgspec.structs.replace(again, stream=True) == wanted


async def test_what_texts_do_not_describe_is_left_out(tmp_path: Path) -> None:
    cache, book, _ = make(tmp_path / "q")
    await ask(cache, "q", tools=(Tool("f"),))
    await ask(cache, "q", extra={"x": 1})
    await ask(cache, "q" * 9000)
    await ask(cache, "q", messages=(), prompt="raw")
    assert book.most() == []


async def test_the_book_is_bounded_and_keeps_the_frequent(tmp_path: Path) -> None:
    cache, book, _ = make(tmp_path / "q", entries=5)
    for number in range(30):
        await ask(cache, "often", 2)
        await ask(cache, f"seldom {number}")
    assert len(book.most()) == 5
    assert book.most()[0].count == 60


async def test_counts_go_on_after_a_restart_and_are_written_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "q"
    for total in (3, 6):
        cache, book, _ = make(path)
        task = asyncio.ensure_future(book.run(3600))
        await book.loaded.wait()
        await ask(cache, "often", 3)
        # Its first sleep begins in the loop's next turn.
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        assert [one.count for one in read_frequencies(path)] == [total]


async def test_a_disk_that_takes_nothing_is_logged_once(tmp_path: Path) -> None:
    _, book, log = make(tmp_path / "missing" / "q")
    await book.save()
    await book.save()
    assert log.getvalue().count("cache_frequency_file_unwritten") == 1


async def test_a_file_that_is_none_of_ours_is_left_alone_and_logged(tmp_path: Path) -> None:
    path = tmp_path / "q"
    path.write_text("not JSON\n")
    _, book, log = make(path)
    task = asyncio.ensure_future(book.run(3600))
    await book.loaded.wait()
    assert log.getvalue().count("cache_frequency_file_unread") == 1
    assert book.most() == []
    task.cancel()
    await asyncio.wait([task])
