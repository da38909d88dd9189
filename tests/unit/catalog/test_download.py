"""A download arrives whole and right, or not at all, whatever the server does."""

from __future__ import annotations

import asyncio
import hashlib
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from seekway.catalog.disk import check_space, locked
from seekway.catalog.download import Wanted, download, download_all, open_session
from seekway.catalog.retry import RetryPolicy
from seekway.core.errors import DownloadError
from tests.fakes.hub_server import (
    ETAG,
    Answer,
    HubServer,
    break_off,
    chunked,
    ignore_range,
    redirect_to,
    send,
    stall_after,
    status,
    wrong_range,
)

POLICY = RetryPolicy(attempts=3, base_s=0.001, cap_s=0.002, idle_timeout_s=5, longest_wish_s=0.002)
CONTENT = os.urandom(3_000_000)


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with open_session(POLICY) as opened:
        yield opened


@pytest.fixture
async def server() -> AsyncIterator[HubServer]:
    async with HubServer({"m.gguf": CONTENT}) as running:
        yield running


def wanted(server: HubServer, folder: Path, *, token: str | None = None, sha256: str | None = None) -> Wanted:
    digest = sha256 or hashlib.sha256(CONTENT).hexdigest()
    return Wanted(f"{server.base}/owner/model/resolve/main/m.gguf", folder / "m.gguf", len(CONTENT), digest, token)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_a_file_arrives_whole_and_leaves_nothing_beside_it(
    session: aiohttp.ClientSession, server: HubServer, tmp_path: Path
) -> None:
    seen: list[int] = []
    digest = await download(session, wanted(server, tmp_path), POLICY, seen.append)
    assert digest == hashlib.sha256(CONTENT).hexdigest()
    assert (tmp_path / "m.gguf").read_bytes() == CONTENT
    assert names_in(tmp_path) == ["m.gguf"]
    assert sum(seen) == len(CONTENT)


async def test_a_broken_off_download_goes_on_where_it_ended(
    session: aiohttp.ClientSession, server: HubServer, tmp_path: Path
) -> None:
    server.faults = [break_off(1_000_000), break_off(500_000)]
    seen: list[int] = []
    await download(session, wanted(server, tmp_path), POLICY, seen.append)
    assert (tmp_path / "m.gguf").read_bytes() == CONTENT
    assert server.ranges() == [None, "bytes=1000000-", "bytes=1500000-"]
    assert server.requests[1].headers["If-Range"] == ETAG
    assert sum(seen) == len(CONTENT)


async def test_more_breaks_than_attempts_are_survived_while_bytes_come(
    session: aiohttp.ClientSession, server: HubServer, tmp_path: Path
) -> None:
    server.faults = [break_off(300_000) for _ in range(8)]
    await download(session, wanted(server, tmp_path), POLICY)
    assert (tmp_path / "m.gguf").read_bytes() == CONTENT


async def test_the_next_pull_uses_what_the_last_left(
    session: aiohttp.ClientSession, server: HubServer, tmp_path: Path
) -> None:
    server.faults = [break_off(1_000_000), *(status(503) for _ in range(9))]
    with pytest.raises(DownloadError, match=r"is in trouble \(503\), 3 times in a row"):
        await download(session, wanted(server, tmp_path), POLICY)
    assert not (tmp_path / "m.gguf").exists()
    assert (tmp_path / "m.gguf.part").stat().st_size == 1_000_000
    server.faults, server.requests = [], []
    await download(session, wanted(server, tmp_path), POLICY)
    assert server.ranges() == ["bytes=1000000-"]
    assert (tmp_path / "m.gguf").read_bytes() == CONTENT


async def test_a_server_that_ignores_ranges_is_read_from_the_start(
    session: aiohttp.ClientSession, server: HubServer, tmp_path: Path
) -> None:
    server.faults = [break_off(1_000_000), ignore_range]
    await download(session, wanted(server, tmp_path), POLICY)
    assert (tmp_path / "m.gguf").read_bytes() == CONTENT


async def test_a_server_that_ignores_ranges_and_breaks_off_does_not_keep_us_forever(
    session: aiohttp.ClientSession, server: HubServer, tmp_path: Path
) -> None:
    server.faults = [chunked(lambda content: content[:1_000_000])] * 50
    with pytest.raises(DownloadError, match="ended the file early"):
        await download(session, wanted(server, tmp_path), POLICY)
    assert len(server.requests) == POLICY.attempts


async def test_a_range_of_another_place_is_not_appended(
    session: aiohttp.ClientSession, server: HubServer, tmp_path: Path
) -> None:
    server.faults = [break_off(1_000_000), wrong_range]
    await download(session, wanted(server, tmp_path), POLICY)
    assert (tmp_path / "m.gguf").read_bytes() == CONTENT


async def test_a_part_of_another_version_is_thrown_away(
    session: aiohttp.ClientSession, server: HubServer, tmp_path: Path
) -> None:
    (tmp_path / "m.gguf.part").write_bytes(b"x" * 1000)
    (tmp_path / "m.gguf.part.json").write_text('{"size": 7, "sha256": null, "etag": null}')
    await download(session, wanted(server, tmp_path), POLICY)
    assert server.ranges() == [None]


async def test_a_damaged_part_is_found_out_and_fetched_again(
    session: aiohttp.ClientSession, server: HubServer, tmp_path: Path
) -> None:
    server.faults = [break_off(1_000_000), *(status(503) for _ in range(3))]
    with pytest.raises(DownloadError):
        await download(session, wanted(server, tmp_path), POLICY)
    part = tmp_path / "m.gguf.part"
    part.write_bytes(b"\0" * 10 + part.read_bytes()[10:])
    server.faults = []
    await download(session, wanted(server, tmp_path), POLICY)
    assert (tmp_path / "m.gguf").read_bytes() == CONTENT


async def test_a_wrong_hash_never_gets_the_final_name(
    session: aiohttp.ClientSession, server: HubServer, tmp_path: Path
) -> None:
    with pytest.raises(DownloadError, match="another SHA-256"):
        await download(session, wanted(server, tmp_path, sha256="0" * 64), POLICY)
    assert not (tmp_path / "m.gguf").exists()
    assert (tmp_path / "m.gguf.part").stat().st_size == 0
    assert len(server.requests) == 2


@pytest.mark.parametrize("lie", [CONTENT[:-1], CONTENT + b"x"], ids=["shorter", "longer"])
async def test_a_length_that_differs_from_the_list_is_refused(
    session: aiohttp.ClientSession, server: HubServer, tmp_path: Path, lie: bytes
) -> None:
    server.faults = [send(lie)]
    with pytest.raises(DownloadError, match="bytes and lists it with"):
        await download(session, wanted(server, tmp_path), POLICY)
    assert not (tmp_path / "m.gguf").exists()


async def test_more_bytes_than_listed_are_refused(
    session: aiohttp.ClientSession, server: HubServer, tmp_path: Path
) -> None:
    server.faults = [chunked(lambda content: content + b"more")]
    with pytest.raises(DownloadError, match=r"more of m\.gguf"):
        await download(session, wanted(server, tmp_path), POLICY)
    assert not (tmp_path / "m.gguf").exists()


async def test_too_many_requests_is_waited_for(
    session: aiohttp.ClientSession, server: HubServer, tmp_path: Path
) -> None:
    server.faults = [status(429, Retry_After="1"), status(503)]
    await download(session, wanted(server, tmp_path), POLICY)
    assert (tmp_path / "m.gguf").read_bytes() == CONTENT


def test_a_servers_wish_is_honoured_up_to_a_bound() -> None:
    policy = RetryPolicy(base_s=1, cap_s=4, longest_wish_s=30)
    assert policy.pause_s(1, 12.0) == 12.0
    assert policy.pause_s(1, 3600.0) == 30.0
    assert all(0.5 <= policy.pause_s(1, None) <= 1.5 for _ in range(50))
    assert all(2 <= policy.pause_s(30, None) <= 6 for _ in range(50))


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (status(404), "has no m.gguf"),
        (status(401), "HF_TOKEN"),
        (status(403), "HF_TOKEN"),
        (status(410), "answered 410"),
        (send(b"<html>sign in</html>", Content_Type="text/html; charset=utf-8"), "a web page instead of m.gguf"),
    ],
    ids=["404", "401", "403", "410", "html"],
)
async def test_what_another_try_cannot_mend_is_said_at_once(
    session: aiohttp.ClientSession, server: HubServer, tmp_path: Path, answer: Answer, sentence: str
) -> None:
    server.faults = [answer]
    with pytest.raises(DownloadError, match=sentence) as caught:
        await download(session, wanted(server, tmp_path), POLICY)
    assert len(server.requests) == 1
    assert "\n" not in caught.value.message


async def test_a_silent_server_counts_as_broken_off(server: HubServer, tmp_path: Path) -> None:
    policy = RetryPolicy(attempts=2, base_s=0.001, cap_s=0.002, idle_timeout_s=0.2)
    server.faults = [stall_after(1_000_000)]
    async with open_session(policy) as session:
        await download(session, wanted(server, tmp_path), policy)
    assert server.ranges() == [None, "bytes=1000000-"]
    assert (tmp_path / "m.gguf").read_bytes() == CONTENT


async def test_a_server_that_is_away_is_one_sentence(session: aiohttp.ClientSession, tmp_path: Path) -> None:
    async with HubServer({"m.gguf": CONTENT}) as gone:
        file = wanted(gone, tmp_path)
    with pytest.raises(DownloadError, match=r"127\.0\.0\.1 cannot be reached, 3 times"):
        await download(session, file, POLICY)


async def test_the_token_does_not_follow_a_redirect_to_another_host(
    session: aiohttp.ClientSession, server: HubServer, tmp_path: Path
) -> None:
    async with HubServer({"m.gguf": CONTENT}) as storage:
        server.faults = [redirect_to(storage)]
        await download(session, wanted(server, tmp_path, token="secret"), POLICY)
    assert server.authorizations == ["Bearer secret"]
    assert storage.authorizations == [None]
    assert (tmp_path / "m.gguf").read_bytes() == CONTENT


async def test_one_failure_ends_the_other_parts(
    session: aiohttp.ClientSession, server: HubServer, tmp_path: Path
) -> None:
    good = wanted(server, tmp_path)
    missing = Wanted(f"{server.base}/owner/model/resolve/main/gone.gguf", tmp_path / "gone.gguf", 5, None)
    with pytest.raises(DownloadError, match=r"has no gone\.gguf"):
        await download_all(session, [good, missing], POLICY, lambda _: None)


def test_two_pulls_do_not_write_one_file(tmp_path: Path) -> None:
    with locked(tmp_path / "lock"), pytest.raises(DownloadError, match="Another seekway"), locked(tmp_path / "lock"):
        pass
    with locked(tmp_path / "lock"):
        pass


def test_too_little_disk_is_said_before_the_first_byte(tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="GB free and the model needs"):
        check_space(tmp_path / "not" / "there", 10**18)


_CHILD = """
import asyncio, sys
from pathlib import Path
from seekway.catalog.download import Wanted, download, open_session
from seekway.catalog.retry import RetryPolicy
url, target, size, digest = sys.argv[1:]
async def main():
    policy = RetryPolicy()
    async with open_session(policy) as session:
        await download(session, Wanted(url, Path(target), int(size), digest), policy, lambda n: print(n, flush=True))
asyncio.run(main())
"""


async def test_a_killed_process_leaves_a_part_that_is_resumed(
    session: aiohttp.ClientSession, server: HubServer, tmp_path: Path
) -> None:
    file = wanted(server, tmp_path)
    server.faults = [stall_after(2_000_000)]
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _CHILD, file.url, str(file.target), str(file.size), str(file.sha256)),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert child.stdout is not None
        received = 0
        async with asyncio.timeout(60):
            while received < 2_000_000:
                line = await child.stdout.readline()
                assert line, "the child ended by itself"
                received += int(line)
    finally:
        child.kill()
        await child.communicate()
    assert not file.target.exists()
    kept = (tmp_path / "m.gguf.part").stat().st_size
    assert kept > 0
    await download(session, file, POLICY)
    assert server.ranges()[-1] == f"bytes={kept}-"
    assert file.target.read_bytes() == CONTENT
