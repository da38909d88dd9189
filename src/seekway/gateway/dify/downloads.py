"""Documents' files: addresses that open one for a few minutes, and several in an archive."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import io
import zipfile
from collections.abc import Sequence
from urllib.parse import quote, urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from seekway.core.errors import AuthenticationFailed, InvalidParameter, NotFound, SeekwayError
from seekway.gateway.dify.document_list import DocumentIds
from seekway.gateway.dify.document_wire import wire_file
from seekway.gateway.dify.errors import DIFY_ERRORS
from seekway.gateway.dify.knowledge_call import KnowledgeCall, reply
from seekway.gateway.error_response import error_response
from seekway.gateway.front import Front
from seekway.knowledge.ingest.records import DocumentKey, DocumentRecord
from seekway.knowledge.knowledge_base import KnowledgeBase

FILE_PATH = "/v1/datasets/{dataset_id}/documents/{document_id}/file"
_OPEN_S = 300
"""As long as Dify's."""

_MOST_IN_ARCHIVE = 100
_ARCHIVE_FILES = 4
"""An archive may be as long as so many of the largest files."""


class Address(msgspec.Struct, frozen=True):
    url: str


class UploadFileInfo(msgspec.Struct, frozen=True):
    id: str
    name: str
    size: int
    extension: str
    url: str
    download_url: str
    mime_type: str | None
    created_by: str
    created_at: int


async def download(call: KnowledgeCall) -> Response:
    """An address from which the file is fetched without a key, for five minutes."""
    await call.knowledge.book.document(call.document)
    return reply(Address(await _address(call)))


async def upload_file(call: KnowledgeCall) -> Response:
    """What is known of the file, with an address as :func:`download` gives."""
    document = await call.knowledge.book.document(call.document)
    file, url = wire_file(call, document), await _address(call)
    return reply(
        UploadFileInfo(
            *(file.id, file.name, file.size, file.extension, url, f"{url}&as_attachment=true"),
            *(file.mime_type, file.created_by, file.created_at),
        )
    )


async def download_zip(call: KnowledgeCall) -> Response:
    """The files of several documents in an archive."""
    ids = list(dict.fromkeys((await call.body(DocumentIds)).document_ids))
    if not 1 <= len(ids) <= _MOST_IN_ARCHIVE:
        raise InvalidParameter(f"document_ids are from 1 to {_MOST_IN_ARCHIVE}.", param="document_ids")
    book = call.knowledge.book
    found = [await book.document(DocumentKey(call.tenant, call.dataset, one)) for one in ids]
    most = _ARCHIVE_FILES * call.knowledge.max_file_bytes
    if sum(document.size for document in found) > most:
        raise InvalidParameter(f"The files are larger than {most} bytes together; ask for fewer.", param="document_ids")
    files = [(document, await book.file(document.key)) for document in found]
    body = await asyncio.to_thread(_archive, files)
    headers = {"content-disposition": f'attachment; filename="{quote(call.dataset)}.zip"'}
    return Response(body, headers=headers, media_type="application/zip")


class Files:
    """Who has the address of a file needs no key."""

    def __init__(self, front: Front) -> None:
        self._front = front

    async def file(self, request: Request) -> Response:
        """A document's file, by an address of :func:`download`."""
        try:
            return await self._file(request)
        except SeekwayError as error:
            return error_response(error, DIFY_ERRORS)

    async def _file(self, request: Request) -> Response:
        knowledge, asked = self._front.knowledge, request.query_params
        if knowledge is None:
            raise NotFound("There is no such file.")
        place = [str(request.path_params[name]) for name in ("dataset_id", "document_id")]
        key = DocumentKey(asked.get("tenant", ""), *place)
        expires = asked.get("expires", "")
        right = await _signature(knowledge, key, expires)
        if (
            not hmac.compare_digest(right.encode(), asked.get("sign", "").encode())
            or int(expires) * 1000 < knowledge.book.now()
        ):
            raise AuthenticationFailed("This address opens nothing, or no more; ask for a new one.")
        document = await knowledge.book.document(key)
        # What is shown in a browser could be a page of whoever added it.
        headers = {
            "content-disposition": f"attachment; filename*=UTF-8''{quote(document.name)}",
            "x-content-type-options": "nosniff",
        }
        body = await knowledge.book.file(key)
        return Response(body, headers=headers, media_type=document.mime or "application/octet-stream")


async def _address(call: KnowledgeCall) -> str:
    key, expires = call.document, str(call.knowledge.book.now() // 1000 + _OPEN_S)
    asked = {"tenant": key.tenant, "expires": expires, "sign": await _signature(call.knowledge, key, expires)}
    path = FILE_PATH.format(dataset_id=quote(key.dataset, safe=""), document_id=quote(key.document, safe=""))
    return f"{str(call.request.base_url).rstrip('/')}{path}?{urlencode(asked)}"


async def _signature(knowledge: KnowledgeBase, key: DocumentKey, expires: str) -> str:
    secret = await knowledge.book.listing.secret("file addresses")
    signed = msgspec.json.encode((*key, expires))
    return hmac.new(secret, signed, hashlib.sha256).hexdigest()


def _archive(files: Sequence[tuple[DocumentRecord, bytes]]) -> bytes:
    made, taken = io.BytesIO(), set[str]()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for document, body in files:
            name = document.name.replace("/", "_").replace("\\", "_")
            while name in taken:
                stem, dot, suffix = name.rpartition(".")
                name = f"{stem}_{document.position}{dot}{suffix}" if dot else f"{name}_{document.position}"
            taken.add(name)
            archive.writestr(name, body)
    return made.getvalue()
