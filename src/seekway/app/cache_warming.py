"""Asks a running gateway questions, some at once, so that its cache holds the answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from prometheus_client.parser import text_string_to_metric_families

from seekway.app.chat_client import ChatClient
from seekway.core.errors import BackendUnavailable, InvalidRequest, NotFound
from seekway.pipeline.cache.frequency import read_frequencies


@dataclass(slots=True)
class Tally:
    """``made`` were answered by the model and ``known`` by the cache; ``uncached`` are answers that the cache had no part in."""

    made: int = 0
    known: int = 0
    uncached: int = 0
    failed: int = 0
    problem: str = ""

    @property
    def asked(self) -> int:
        return self.made + self.known + self.uncached + self.failed

    @property
    def hit_ratio(self) -> float:
        return self.known / self.asked if self.asked else 0.0


class CacheFigure(msgspec.Struct, frozen=True):
    name: str
    value: float


def read_questions(
    file: Path | None,
    log_file: Path | None,
    *,
    tenant: str | None,
    model: str,
    system: str | None,
    temperature: float,
    most: int,
) -> list[bytes]:
    """Bodies of ``POST /v1/chat/completions``, each once, the first ``most``; raises ``InvalidRequest`` with file and line."""
    if log_file is not None:
        bodies = _of_log(log_file, tenant)
    elif file is not None:
        bodies = _of_lines(file, model, system, temperature)
    else:
        bodies = iter(())
    found: dict[bytes, None] = {}
    for body in bodies:
        found[msgspec.json.encode(body | {"stream": False})] = None
        if len(found) == most:
            break
    if not found:
        raise InvalidRequest(f"{log_file or file} holds no question.")
    return list(found)


class Warming:
    """``url`` is the gateway's, without ``/v1``; the answers land in the cache of the key's tenant."""

    def __init__(self, url: str, api_key: str | None = None) -> None:
        self.url = url.rstrip("/")
        self._api_key = api_key
        self.headers = {"Content-Type": "application/json"} | (
            {"Authorization": f"Bearer {api_key}"} if api_key else {}
        )

    async def ask(
        self, session: aiohttp.ClientSession, bodies: list[bytes], at_once: int, progress: Callable[[int], None]
    ) -> Tally:
        """Ask all, ``at_once`` at a time; a question that fails is counted and the rest go on.

        Raises ``SeekwayError`` when no gateway answers at the address, or it refuses the key.
        """
        await ChatClient(session, self.url, self._api_key).models()
        tally = Tally()
        waiting = iter(bodies)

        async def work() -> None:
            for body in waiting:
                await self._one(session, body, tally)
                progress(tally.asked)

        async with asyncio.TaskGroup() as group:
            for _ in range(min(at_once, len(bodies))):
                group.create_task(work())
        return tally

    async def _one(self, session: aiohttp.ClientSession, body: bytes, tally: Tally) -> None:
        try:
            async with session.post(f"{self.url}/v1/chat/completions", data=body, headers=self.headers) as response:
                answer = await response.read()
                did = response.headers.get("x-seekway-cache", "")
                failed = response.status != 200
        except (aiohttp.ClientError, TimeoutError) as error:
            tally.failed += 1
            tally.problem = f"{type(error).__name__}: {error}"
            return
        if failed:
            tally.failed += 1
            tally.problem = answer.decode("utf-8", "replace").strip()[:300]
        elif did in ("hit", "semantic"):
            tally.known += 1
        elif did == "miss":
            tally.made += 1
        else:
            tally.uncached += 1


async def read_stats(session: aiohttp.ClientSession, warming: Warming) -> list[CacheFigure]:
    """The cache's metrics; raises ``BackendUnavailable`` when the gateway is away and ``NotFound`` when it has no cache."""
    try:
        async with session.get(f"{warming.url}/metrics", headers=warming.headers) as response:
            text = (await response.read()).decode("utf-8", "replace")
    except (aiohttp.ClientError, TimeoutError) as error:
        raise BackendUnavailable(f"No gateway answers at {warming.url}; start one with seekway up.") from error
    found = cache_figures(text)
    if not found:
        raise NotFound("The gateway has no answer cache; set cache.enabled.")
    return found


def cache_figures(metrics: str) -> list[CacheFigure]:
    """The cache's figures among ``metrics``, Prometheus' text; requests under what the cache did with them."""
    return [
        CacheFigure(sample.labels.get("result") or family.name.removeprefix("seekway_cache_"), sample.value)
        for family in text_string_to_metric_families(metrics)
        if family.name.startswith("seekway_cache_")
        for sample in family.samples
        if not sample.name.endswith("_created")
    ]


def _of_log(path: Path, tenant: str | None) -> Iterator[dict[str, Any]]:
    try:
        questions = read_frequencies(path)
    except msgspec.DecodeError as error:
        raise InvalidRequest(f"{path} was not written by cache.frequency_file: {error}.") from error
    tenants = sorted({question.tenant for question in questions})
    if tenant is None and len(tenants) > 1:
        raise InvalidRequest(f"{path} holds questions of {', '.join(tenants)}; choose one with --tenant.")
    for question in questions:
        if tenant is None or question.tenant in (tenant, f"tenant:{tenant}", f"key:{tenant}"):
            yield question.body


def _of_lines(path: Path, model: str, system: str | None, temperature: float) -> Iterator[dict[str, Any]]:
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"{path} is not UTF-8 text.") from error
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text:
            continue
        if not text.startswith("{"):
            before = [{"role": "system", "content": system}] if system else []
            turns = [*before, {"role": "user", "content": text}]
            yield {"model": model, "messages": turns, "temperature": temperature}
            continue
        try:
            body = msgspec.json.decode(text, type=dict[str, Any])
        except msgspec.DecodeError as error:
            raise InvalidRequest(f"{path}, line {number}: {error}.") from error
        if "messages" not in body:
            raise InvalidRequest(f"{path}, line {number}: messages is missing.")
        yield {"model": model} | body
