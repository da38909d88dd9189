"""A model hub on loopback that speaks Hugging Face's and ModelScope's APIs and misbehaves to order."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Self

from aiohttp import web

Answer = Callable[["HubServer", web.Request, bytes], Coroutine[None, None, web.StreamResponse]]
COMMIT = "0123456789abcdef0123456789abcdef01234567"
ETAG = '"tag-1"'


@dataclass
class HubServer:
    """Serves ``files`` (path in the repository to content); ``faults`` answer the first requests for a file instead, one each.

    ``listed_sizes`` and ``listed_hashes`` replace what the list of files says. ``requests`` are the requests for files as they came.
    """

    files: dict[str, bytes]
    repository: str = "owner/model"
    faults: list[Answer] = field(default_factory=list[Answer])
    list_faults: list[Answer] = field(default_factory=list[Answer])
    listed_sizes: dict[str, int] = field(default_factory=dict[str, int])
    listed_hashes: dict[str, str] = field(default_factory=dict[str, str])
    requests: list[web.BaseRequest] = field(default_factory=list[web.BaseRequest])
    authorizations: list[str | None] = field(default_factory=list[str | None])
    base: str = ""

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/api/models/{owner}/{name}/revision/{rev}", self._revision)
        app.router.add_get("/api/models/{owner}/{name}/tree/{rev}", self._tree)
        app.router.add_get("/api/v1/models/{owner}/{name}/repo/files", self._scope_files)
        app.router.add_get("/{owner}/{name}/resolve/{rev}/{path:.+}", self._file)
        app.router.add_get("/models/{owner}/{name}/resolve/{rev}/{path:.+}", self._file)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.base = f"http://{host}:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    def ranges(self) -> list[str | None]:
        return [request.headers.get("Range") for request in self.requests]

    def _sha256(self, path: str) -> str:
        return self.listed_hashes.get(path, hashlib.sha256(self.files[path]).hexdigest())

    def _size(self, path: str) -> int:
        return self.listed_sizes.get(path, len(self.files[path]))

    def _known(self, request: web.Request) -> None:
        if f"{request.match_info['owner']}/{request.match_info['name']}" != self.repository:
            raise web.HTTPNotFound

    async def _revision(self, request: web.Request) -> web.StreamResponse:
        if self.list_faults:
            return await self.list_faults.pop(0)(self, request, b"")
        self._known(request)
        return web.json_response({"sha": COMMIT})

    async def _tree(self, request: web.Request) -> web.StreamResponse:
        """One file a page, as a hub with many files does it."""
        self._known(request)
        paths = sorted(self.files)
        page = int(request.query.get("page", "0"))
        path = paths[page]
        entries: list[dict[str, object]] = [
            {
                "type": "file",
                "path": path,
                "size": self._size(path),
                "lfs": {"oid": self._sha256(path), "size": self._size(path), "pointerSize": 134},
            }
        ]
        if page == 0:
            entries.append({"type": "directory", "path": "x", "size": 0})
            entries.append({"type": "file", "path": "README.md", "size": 3})
        headers: dict[str, str] = {}
        if page + 1 < len(paths):
            headers["Link"] = f'<{self.base}{request.path}?recursive=true&page={page + 1}>; rel="next"'
        return web.json_response(entries, headers=headers)

    async def _scope_files(self, request: web.Request) -> web.StreamResponse:
        self._known(request)
        files = [
            {"Path": path, "Type": "blob", "Size": self._size(path), "Sha256": self._sha256(path)}
            for path in sorted(self.files)
        ]
        tree: dict[str, object] = {"Path": "x", "Type": "tree", "Size": 0, "Sha256": ""}
        return web.json_response({"Code": 200, "Success": True, "Data": {"Files": [tree, *files]}})

    async def _file(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        self.authorizations.append(request.headers.get("Authorization"))
        content = self.files.get(request.match_info["path"])
        if content is None:
            raise web.HTTPNotFound
        if self.faults:
            return await self.faults.pop(0)(self, request, content)
        return await well(self, request, content)


async def well(_server: HubServer, request: web.Request, content: bytes) -> web.StreamResponse:
    """A server that does as it should, ranges among it."""
    asked = request.headers.get("Range")
    condition = request.headers.get("If-Range")
    if asked is None or condition not in (None, ETAG):
        return web.Response(body=content, headers={"ETag": ETAG})
    start = int(asked.removeprefix("bytes=").removesuffix("-"))
    if start >= len(content):
        return web.Response(status=416)
    return web.Response(
        status=206,
        body=content[start:],
        headers={"ETag": ETAG, "Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"},
    )


def break_off(after: int) -> Answer:
    """Promise all of it, send ``after`` bytes beyond the range's start, close."""

    async def answer(_server: HubServer, request: web.Request, content: bytes) -> web.StreamResponse:
        asked = request.headers.get("Range")
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        response = web.StreamResponse(status=206 if asked else 200, headers={"ETag": ETAG})
        response.content_length = len(content) - start
        if asked:
            response.headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        await response.prepare(request)
        await response.write(content[start : start + after])
        assert request.transport is not None
        request.transport.close()
        return response

    return answer


def stall_after(after: int) -> Answer:
    """Send ``after`` bytes and then nothing, until the client goes."""

    async def answer(_server: HubServer, request: web.Request, content: bytes) -> web.StreamResponse:
        response = web.StreamResponse(headers={"ETag": ETAG})
        response.content_length = len(content)
        await response.prepare(request)
        await response.write(content[:after])
        await asyncio.Event().wait()
        return response

    return answer


def status(code: int, **headers: str) -> Answer:
    async def answer(_server: HubServer, _request: web.Request, _content: bytes) -> web.StreamResponse:
        return web.Response(status=code, headers={name.replace("_", "-"): value for name, value in headers.items()})

    return answer


def send(body: bytes, **headers: str) -> Answer:
    """Another body than the file's."""

    async def answer(_server: HubServer, _request: web.Request, _content: bytes) -> web.StreamResponse:
        return web.Response(body=body, headers={name.replace("_", "-"): value for name, value in headers.items()})

    return answer


def chunked(body: Callable[[bytes], bytes]) -> Answer:
    """``body`` of the content without saying its length, always from the start."""

    async def answer(_server: HubServer, request: web.Request, content: bytes) -> web.StreamResponse:
        response = web.StreamResponse(headers={"ETag": ETAG})
        response.enable_chunked_encoding()
        await response.prepare(request)
        await response.write(body(content))
        await response.write_eof()
        return response

    return answer


async def ignore_range(_server: HubServer, _request: web.Request, content: bytes) -> web.StreamResponse:
    return web.Response(body=content, headers={"ETag": ETAG})


async def wrong_range(_server: HubServer, _request: web.Request, content: bytes) -> web.StreamResponse:
    """206, but of the beginning."""
    return web.Response(
        status=206, body=content, headers={"Content-Range": f"bytes 0-{len(content) - 1}/{len(content)}"}
    )


def redirect_to(other: HubServer) -> Answer:
    async def answer(_server: HubServer, request: web.Request, _content: bytes) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": f"{other.base}{request.path}"})

    return answer
