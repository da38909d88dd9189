"""The settings make the cache, and a configuration loaded anew does not empty it."""

from __future__ import annotations

import io

import msgspec
import pytest

from seekway.core.errors import ConfigError
from seekway.core.ports import Backend
from seekway.core.sections.cache import CacheSettings
from seekway.core.sections.log import LogSettings
from seekway.observability.cache_figures import CacheCounts
from seekway.observability.logging import make_logger
from seekway.pipeline.cache.answer_cache import AnswerCache
from seekway.pipeline.cache.assembly import build_cache
from tests.fakes.backend import FakeBackend
from tests.unit.pipeline.cache.asked import ON


async def find(model: str) -> tuple[Backend, str]:
    return FakeBackend(), model


async def find_anew(model: str) -> tuple[Backend, str]:
    return FakeBackend(), model


def build(settings: CacheSettings, previous: AnswerCache | None = None) -> AnswerCache | None:
    log = make_logger(LogSettings(), io.StringIO())
    return build_cache(settings, find if previous is None else find_anew, CacheCounts(), log, previous=previous)


def test_off_there_is_none() -> None:
    assert build(CacheSettings()) is None


def test_the_same_settings_keep_the_cache_and_others_make_a_new_one() -> None:
    semantic = msgspec.structs.replace(ON, semantic=True)
    first = build(semantic)
    assert first is not None
    assert build(semantic, first) is first
    assert first.embedder is not None
    assert first.embedder.find is find_anew
    other = build(msgspec.structs.replace(semantic, ttl_s=1.0), first)
    assert other is not first


def test_redis_that_is_not_configured_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"cache\.store"):
        build(msgspec.structs.replace(ON, store="redis"))


async def test_every_part_that_is_asked_for_is_there() -> None:
    settings = msgspec.structs.replace(ON, semantic=True, frequency_file="~/q.jsonl")
    cache = build(settings)
    assert cache is not None
    assert cache.embedder is not None
    assert cache.frequency is not None
    await cache.close()
