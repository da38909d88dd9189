"""A changed file is noticed once, when it has settled; SIGHUP is heeded at once."""

from __future__ import annotations

import asyncio
from pathlib import Path

from seekway.app.config_watch import ConfigWatch, signature


async def test_a_change_is_noticed_without_being_told(tmp_path: Path) -> None:
    file = tmp_path / "seekway.toml"
    file.write_text("a = 1", "utf-8")
    changed = asyncio.Event()
    watch = asyncio.ensure_future(ConfigWatch(lambda: [file], changed.set).run())
    try:
        await asyncio.sleep(0)
        file.write_text("a = 22", "utf-8")
        await asyncio.wait_for(changed.wait(), 20)
    finally:
        watch.cancel()


async def test_hurry_reads_again_although_nothing_changed(tmp_path: Path) -> None:
    changed = asyncio.Event()
    watched = ConfigWatch(lambda: [tmp_path / "none"], changed.set)
    watch = asyncio.ensure_future(watched.run())
    try:
        watched.hurry()
        await asyncio.wait_for(changed.wait(), 20)
    finally:
        watch.cancel()


def test_a_file_that_goes_or_is_replaced_is_a_change(tmp_path: Path) -> None:
    file, other = tmp_path / "a", tmp_path / "b"
    file.write_text("x", "utf-8")
    before = signature([file])
    other.write_text("y", "utf-8")
    other.replace(file)
    replaced = signature([file])
    file.unlink()
    assert len({before, replaced, signature([file])}) == 3


async def test_a_change_that_comes_while_the_last_is_read_is_not_lost(tmp_path: Path) -> None:
    file = tmp_path / "seekway.toml"
    file.write_text("a = 1", "utf-8")
    seen: list[str] = []
    twice = asyncio.Event()

    def on_change() -> None:
        seen.append(file.read_text("utf-8"))
        if len(seen) == 1:
            file.write_text("a = 333", "utf-8")
        else:
            twice.set()

    watch = asyncio.ensure_future(ConfigWatch(lambda: [file], on_change).run())
    try:
        await asyncio.sleep(0)
        file.write_text("a = 22", "utf-8")
        await asyncio.wait_for(twice.wait(), 20)
        assert seen == ["a = 22", "a = 333"]
    finally:
        watch.cancel()
