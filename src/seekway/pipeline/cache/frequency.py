"""The most frequent questions, for pre-warming: opt-in, since it keeps texts, which the access log never does.

A file of JSON Lines, the most frequent first, each with its count, whose it is and the body that asks it again.
Of several gateway workers the last to write stands in the file: its share of the traffic is a fair sample of all of it.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any, Final

import msgspec
from structlog.typing import FilteringBoundLogger

from seekway.core.types import GenerateRequest, ResponseFormat, ToolChoice
from seekway.pipeline.cache.key import tenant_of
from seekway.pipeline.exchange import Exchange

_MOST_CHARACTERS: Final = 8000
_MOST_FILE_BYTES: Final = 64 * 1024 * 1024
_PLAIN = (ToolChoice(), ResponseFormat())


class FrequentQuestion(msgspec.Struct):
    """A line of the file. ``tenant`` as :func:`seekway.pipeline.cache.key.tenant_of` names it; ``body`` is for ``POST /v1/chat/completions``."""

    count: int
    tenant: str
    body: dict[str, Any]


class _Counted:
    __slots__ = ("count", "request", "tenant")

    def __init__(self, count: int, tenant: str, request: GenerateRequest | dict[str, Any]) -> None:
        self.count = count
        self.tenant = tenant
        self.request = request


class FrequencyBook:
    """``entries`` questions at least are kept; a question seldom asked may be forgotten and begins at one again, so counts are lower bounds.

    ``loaded`` is set when :meth:`run` has read what an earlier process counted.
    """

    def __init__(self, path: Path, entries: int, log: FilteringBoundLogger) -> None:
        self._path = path
        self._entries = entries
        self._log = log
        self._counted: dict[bytes, _Counted] = {}
        self._failed = False
        self.loaded = asyncio.Event()

    def note(self, key: bytes, request: GenerateRequest, exchange: Exchange) -> None:
        known = self._counted.get(key)
        if known is not None:
            known.count += 1
        elif _is_plain(request):
            if len(self._counted) >= 2 * self._entries:
                self._prune()
            self._counted[key] = _Counted(1, tenant_of(exchange.caller), request)

    def most(self) -> list[FrequentQuestion]:
        """The most frequent first."""
        ranked = sorted(self._counted.values(), key=lambda counted: -counted.count)[: self._entries]
        return [
            FrequentQuestion(c.count, c.tenant, c.request if isinstance(c.request, dict) else _body(c.request))
            for c in ranked
        ]

    async def run(self, interval_s: float) -> None:
        """Go on from what the file holds, and write it every ``interval_s`` and at the end."""
        await self._load()
        self.loaded.set()
        try:
            while True:
                await asyncio.sleep(interval_s)
                await self.save()
        finally:
            self._write(_encode(self.most()))

    async def save(self) -> None:
        await asyncio.to_thread(self._write, _encode(self.most()))

    async def _load(self) -> None:
        try:
            questions = await asyncio.to_thread(read_frequencies, self._path)
        except (OSError, msgspec.DecodeError) as error:
            if not isinstance(error, FileNotFoundError):
                self._log.warning("cache_frequency_file_unread", path=str(self._path), reason=str(error))
            return
        for number, question in enumerate(questions[: self._entries]):
            # A key of its own: the same question asked now is counted beside it, and both are added up when the file is written.
            self._counted[b"%d" % number] = _Counted(question.count, question.tenant, question.body)

    def _write(self, lines: bytes) -> None:
        """Whole or not at all, and for nobody else to read."""
        part = self._path.with_name(f"{self._path.name}.{os.getpid()}.part")
        try:
            part.touch(mode=0o600)
            part.write_bytes(lines)
            part.replace(self._path)
        except OSError as error:
            part.unlink(missing_ok=True)
            if not self._failed:
                self._log.warning("cache_frequency_file_unwritten", path=str(self._path), reason=str(error.strerror))
            self._failed = True
        else:
            self._failed = False

    def _prune(self) -> None:
        ranked = sorted(self._counted.items(), key=lambda item: -item[1].count)
        self._counted = dict(ranked[: self._entries])


def read_frequencies(path: Path) -> list[FrequentQuestion]:
    """Raises ``OSError``, and ``msgspec.DecodeError`` for a file that is none of ours."""
    with path.open("rb") as file:
        return msgspec.json.Decoder(FrequentQuestion).decode_lines(file.read(_MOST_FILE_BYTES))


def _encode(questions: list[FrequentQuestion]) -> bytes:
    added: dict[tuple[str, bytes], FrequentQuestion] = {}
    for question in questions:
        key = (question.tenant, msgspec.json.encode(question.body, order="deterministic"))
        if (known := added.get(key)) is None:
            added[key] = question
        else:
            known.count += question.count
    return msgspec.json.Encoder().encode_lines(sorted(added.values(), key=lambda question: -question.count))


def _is_plain(request: GenerateRequest) -> bool:
    """Whether it is a chat that its texts and sampling describe, and short enough to keep."""
    if (
        not request.messages
        or request.tools
        or request.extra
        or (request.tool_choice, request.response_format) != _PLAIN
    ):
        return False
    length = 0
    for message in request.messages:
        if not isinstance(message.content, str) or message.tool_calls or message.tool_call_id or message.prefix:
            return False
        length += len(message.content)
    return length <= _MOST_CHARACTERS


def _body(request: GenerateRequest) -> dict[str, Any]:
    sampling = request.sampling
    body: dict[str, Any] = {
        "model": request.model,
        "messages": [
            {"role": message.role, "content": message.content} | ({"name": message.name} if message.name else {})
            for message in request.messages
        ],
    }
    for name in (
        "temperature",
        "top_p",
        "top_k",
        "min_p",
        "frequency_penalty",
        "presence_penalty",
        "max_tokens",
        "seed",
    ):
        if (value := getattr(sampling, name)) is not None:
            body[name] = value
    if sampling.stop:
        body["stop"] = list(sampling.stop)
    if sampling.top_logprobs is not None:
        body |= {"logprobs": True, "top_logprobs": sampling.top_logprobs}
    if request.thinking.enabled is not None:
        body["thinking"] = {"type": "enabled" if request.thinking.enabled else "disabled"}
    if request.thinking.effort is not None:
        body["reasoning_effort"] = request.thinking.effort
    return body
