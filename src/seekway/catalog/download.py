"""Downloads that survive: resumed, checked, never half under the final name.

A file is asked for in one request, from where the last one broke off (``Range`` with ``If-Range``, RFC 9110 sections 13.1.5 and 14).
Nothing that a server says is believed: not the length, not that it honoured the range, not that the bytes are the right ones.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import msgspec

from seekway.catalog.answers import TransientFailure, check_content, check_status
from seekway.catalog.part_file import PartFile
from seekway.catalog.retry import RetryPolicy, paused, why
from seekway.core.errors import DownloadError

OnBytes = Callable[[int], None]
"""Called with the bytes that came; negative when bytes had to be thrown away."""

_BLOCK = 1024 * 1024
_FILES_AT_ONCE = 3
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")


class Wanted(msgspec.Struct, frozen=True):
    """One file to have. ``size`` in bytes and ``sha256`` in hex are the hub's word; ``sha256`` None is not checked.

    ``token`` goes as Bearer token to the address' own origin only: a redirect elsewhere does not get it.
    """

    url: str
    target: Path
    size: int
    sha256: str | None
    token: str | None = None


def open_session(policy: RetryPolicy) -> aiohttp.ClientSession:
    """A client that honours the system's proxies and takes bytes as they are."""
    return aiohttp.ClientSession(
        timeout=policy.timeout,
        trust_env=True,
        auto_decompress=False,
        headers={"User-Agent": "seekway", "Accept-Encoding": "identity"},
    )


async def download_all(
    session: aiohttp.ClientSession, wanted: Sequence[Wanted], policy: RetryPolicy, on_bytes: OnBytes
) -> tuple[str, ...]:
    """Download all, a few at once; returns their SHA-256 in the order of ``wanted``. The first failure ends the others."""
    slots = asyncio.Semaphore(_FILES_AT_ONCE)

    async def one(file: Wanted) -> str:
        async with slots:
            return await download(session, file, policy, on_bytes)

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(file)) for file in wanted]
    except* DownloadError as failures:
        raise _first(failures) from None
    return tuple(task.result() for task in tasks)


async def download(
    session: aiohttp.ClientSession, wanted: Wanted, policy: RetryPolicy, on_bytes: OnBytes = lambda _: None
) -> str:
    """Bring one file under its final name; returns its SHA-256.

    Raises ``DownloadError`` after ``policy.attempts`` tries in a row that brought nothing new, or at once where another cannot help.
    What came stays in ``NAME.part`` for the next pull.
    """
    try:
        part = PartFile.open(wanted.target, wanted.size, wanted.sha256)
        try:
            await asyncio.to_thread(part.take_up)
            on_bytes(part.received)
            return await _attempts(session, wanted, part, policy, on_bytes)
        finally:
            part.close()
    except OSError as error:
        raise DownloadError(f"{wanted.target} cannot be written: {error.strerror or error}.") from error


async def _attempts(
    session: aiohttp.ClientSession, wanted: Wanted, part: PartFile, policy: RetryPolicy, on_bytes: OnBytes
) -> str:
    host = urlsplit(wanted.url).hostname or wanted.url
    failures = 0
    best = part.received
    wrong_hashes = 0
    while True:
        failure = await _attempt(session, wanted, part, host, on_bytes) if part.missing else None
        if part.missing == 0:
            if part.matches():
                return await asyncio.to_thread(part.finish)
            wrong_hashes += 1
            _restart(part, on_bytes)
            if wrong_hashes > 1:
                raise DownloadError(
                    f"{host} sent {wanted.target.name} with another SHA-256 than it lists, twice; nothing was kept, try another mirror."
                )
            best = 0
            continue
        # Only bytes beyond what was ever had count as progress: a server that ignores ranges must not keep us forever.
        failures = 1 if part.received > best else failures + 1
        best = max(best, part.received)
        if failure is None:
            continue
        if failures >= policy.attempts:
            raise DownloadError(
                f"{wanted.target.name}: {host} {_reason(failure, host)}, {failures} times in a row; pull again to go on from {part.received / 1e6:.0f} MB."
            )
        await paused(policy, failures, failure.retry_after_s)


def _reason(failure: TransientFailure, host: str) -> str:
    return failure.reason.removeprefix(f"{host} ")


async def _attempt(
    session: aiohttp.ClientSession, wanted: Wanted, part: PartFile, host: str, on_bytes: OnBytes
) -> TransientFailure | None:
    """One request; returns why more is needed, or None when all bytes came."""
    if part.received and not part.resumable:
        _restart(part, on_bytes)
    headers = {"Authorization": f"Bearer {wanted.token}"} if wanted.token else {}
    if part.received:
        headers["Range"] = f"bytes={part.received}-"
        if part.etag:
            headers["If-Range"] = part.etag
    try:
        async with session.get(wanted.url, headers=headers) as response:
            if response.status == 416:
                _restart(part, on_bytes)
                return TransientFailure("refused to go on where the last try ended")
            check_status(response.status, response.headers, wanted.target.name, host)
            check_content(response.headers, wanted.target.name, host)
            _check_length(response, wanted, part, host, on_bytes)
            async for block in response.content.iter_chunked(_BLOCK):
                if len(block) > part.missing:
                    _restart(part, on_bytes)
                    raise DownloadError(
                        f"{host} sent more of {wanted.target.name} than the {wanted.size} bytes it lists."
                    )
                part.append(block)
                on_bytes(len(block))
    except TransientFailure as failure:
        return failure
    except (aiohttp.ClientError, TimeoutError) as error:
        return TransientFailure(why(error))
    return None if part.missing == 0 else TransientFailure("ended the file early")


def _check_length(
    response: aiohttp.ClientResponse, wanted: Wanted, part: PartFile, host: str, on_bytes: OnBytes
) -> None:
    """See to it that the body's first byte belongs where the part ends."""
    if response.status == 206:
        match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
        if match is None or (int(match[1]), int(match[3])) != (part.received, wanted.size):
            _restart(part, on_bytes)
            raise TransientFailure("sent another range than asked for")
        return
    _restart(part, on_bytes)
    length = response.content_length
    if length is not None and length != wanted.size:
        raise DownloadError(
            f"{host} says {wanted.target.name} has {length} bytes and lists it with {wanted.size}; try again later or another mirror."
        )
    etag = response.headers.get("ETag")
    # A weak tag does not promise equal bytes, so it cannot carry a range (RFC 9110, 13.1.5).
    part.belongs_to(etag if etag and not etag.startswith("W/") else None)


def _restart(part: PartFile, on_bytes: OnBytes) -> None:
    on_bytes(-part.received)
    part.restart()


def _first(group: BaseExceptionGroup[DownloadError]) -> DownloadError:
    found = group.exceptions[0]
    return _first(found) if isinstance(found, BaseExceptionGroup) else found
