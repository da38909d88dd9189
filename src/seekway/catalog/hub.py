"""Hugging Face's and ModelScope's lists of files, over their public HTTP APIs.

- Hugging Face: ``GET /api/models/{repo}/revision/{rev}`` for the commit, ``GET /api/models/{repo}/tree/{commit}?recursive=true``
  (pages by ``Link: <…>; rel="next"``), files at ``/{repo}/resolve/{commit}/{path}``. Mirrors such as hf-mirror.com speak the same.
- ModelScope: ``GET /api/v1/models/{repo}/repo/files?Revision=…&Recursive=true``, files at ``/models/{repo}/resolve/{rev}/{path}``.

Both give size and SHA-256 of every large file.
"""

from __future__ import annotations

from typing import TypeVar
from urllib.parse import quote, urlsplit

import aiohttp
import msgspec

from seekway.catalog.answers import TransientFailure, check_content, check_status
from seekway.catalog.entries import HubName
from seekway.catalog.retry import RetryPolicy, paused, why
from seekway.core.errors import DownloadError

_BASES: dict[HubName, str] = {"huggingface": "https://huggingface.co", "modelscope": "https://www.modelscope.cn"}
_REVISIONS: dict[HubName, str] = {"huggingface": "main", "modelscope": "master"}
_MOST_PAGES = 100
T = TypeVar("T")
_MOST_BYTES = 32 * 1024 * 1024


class RemoteFile(msgspec.Struct, frozen=True):
    """``path`` inside the repository; ``sha256`` None where the hub gives none, which is so for small text files only."""

    path: str
    size: int
    sha256: str | None
    url: str


class RepositoryFiles(msgspec.Struct, frozen=True):
    """``revision`` is the commit where the hub tells it, so that parts downloaded on two days belong together."""

    repository: str
    revision: str
    files: tuple[RemoteFile, ...]


class _Lfs(msgspec.Struct):
    oid: str
    size: int


class _TreeEntry(msgspec.Struct):
    type: str
    path: str
    size: int = 0
    lfs: _Lfs | None = None


class _Revision(msgspec.Struct):
    sha: str


class _ScopeFile(msgspec.Struct, rename="pascal"):
    path: str
    type: str
    size: int = 0
    sha256: str = ""


class _ScopeFiles(msgspec.Struct, rename="pascal"):
    files: list[_ScopeFile] = []


class _ScopeAnswer(msgspec.Struct, rename="pascal"):
    data: _ScopeFiles | None = None
    success: bool = True
    message: str = ""


class Hub:
    """One hub, its own address or a mirror's. ``token`` goes to that address only."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        name: HubName,
        *,
        mirror: str | None = None,
        token: str | None = None,
        policy: RetryPolicy | None = None,
    ) -> None:
        self.name: HubName = name
        self.base = (mirror or _BASES[name]).rstrip("/")
        if not self.base.startswith(("http://", "https://")):
            raise DownloadError(f"The mirror {self.base} must begin with http:// or https://.")
        self.host = urlsplit(self.base).hostname or self.base
        self.token = token
        self._session = session
        self._policy = policy or RetryPolicy()

    async def list_files(self, repository: str, revision: str | None = None) -> RepositoryFiles:
        """All files of ``owner/name``; raises ``DownloadError``."""
        revision = revision or _REVISIONS[self.name]
        if self.name == "huggingface":
            return await self._huggingface(repository, revision)
        return await self._modelscope(repository, revision)

    async def _huggingface(self, repository: str, revision: str) -> RepositoryFiles:
        what = f"repository {repository}"
        body, _ = await self._get(f"{self.base}/api/models/{repository}/revision/{quote(revision, safe='')}", what)
        commit = self._decode(body, _Revision).sha
        url: str | None = f"{self.base}/api/models/{repository}/tree/{commit}?recursive=true"
        entries: list[_TreeEntry] = []
        for _ in range(_MOST_PAGES):
            if url is None:
                break
            body, url = await self._get(url, what)
            entries.extend(self._decode(body, list[_TreeEntry]))
        return RepositoryFiles(
            repository,
            commit,
            tuple(
                RemoteFile(
                    path=entry.path,
                    size=entry.lfs.size if entry.lfs else entry.size,
                    sha256=entry.lfs.oid.removeprefix("sha256:").lower() if entry.lfs else None,
                    url=f"{self.base}/{repository}/resolve/{commit}/{quote(entry.path)}",
                )
                for entry in entries
                if entry.type == "file"
            ),
        )

    async def _modelscope(self, repository: str, revision: str) -> RepositoryFiles:
        url = f"{self.base}/api/v1/models/{repository}/repo/files?Revision={quote(revision, safe='')}&Recursive=true"
        body, _ = await self._get(url, f"repository {repository}")
        answer = self._decode(body, _ScopeAnswer)
        if not answer.success or answer.data is None:
            raise DownloadError(f"{self.host} has no repository {repository}: {answer.message or 'no reason given'}.")
        return RepositoryFiles(
            repository,
            revision,
            tuple(
                RemoteFile(
                    path=file.path,
                    size=file.size,
                    sha256=file.sha256.lower() or None,
                    url=f"{self.base}/models/{repository}/resolve/{quote(revision, safe='')}/{quote(file.path)}",
                )
                for file in answer.data.files
                if file.type == "blob"
            ),
        )

    def _decode(self, body: bytes, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(body, type=kind)
        except msgspec.DecodeError as error:
            raise DownloadError(
                f"{self.host} answered in a way that is not {self.name}'s API; check catalog.hub and catalog.mirror."
            ) from error

    async def _get(self, url: str, what: str) -> tuple[bytes, str | None]:
        """The body and the next page's address."""
        failures = 0
        while True:
            try:
                return await self._get_once(url, what)
            except TransientFailure as error:
                failure = error
            except (aiohttp.ClientError, TimeoutError) as error:
                failure = TransientFailure(f"{self.host} {why(error)}")
            failures += 1
            if failures >= self._policy.attempts:
                raise DownloadError(f"{failure.reason}; try again, or another mirror with --mirror.")
            await paused(self._policy, failures, failure.retry_after_s)

    async def _get_once(self, url: str, what: str) -> tuple[bytes, str | None]:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        async with self._session.get(url, headers=headers) as response:
            check_status(response.status, response.headers, what, self.host)
            check_content(response.headers, what, self.host)
            body = await response.content.read(_MOST_BYTES)
            while len(body) < _MOST_BYTES and (more := await response.content.read(_MOST_BYTES - len(body))):
                body += more
            following = response.links.get("next")
            # A next page at another host would be handed our token; a hub's pages lie on the hub.
            page = str(following["url"]) if following else None
            if page is not None and urlsplit(page)[:2] != urlsplit(self.base)[:2]:
                raise DownloadError(f"{self.host} sends the list of {what} to another host; try another mirror.")
            return body, page
