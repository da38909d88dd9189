"""A file and the JSON beside it, in a form of several parts (RFC 7578)."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Final

import msgspec
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from seekway.core.errors import InvalidParameter
from seekway.gateway.dialects.json_body import BodyDecoder
from seekway.gateway.dify.document_wire import DocumentBody
from seekway.gateway.dify.errors import DifyRefusal
from seekway.gateway.dify.knowledge_call import KnowledgeCall
from seekway.knowledge.parsing.parse import readable

_AROUND: Final = 2 * 2**20
"""What a form may be longer than its file: its other parts."""

_PARTS: Final = 20
_DATA_BYTES: Final = 2**20
_DECODER: Final = BodyDecoder(DocumentBody)


class Upload(msgspec.Struct, frozen=True):
    """``file`` is None where the form has none."""

    body: DocumentBody
    file: bytes | None
    name: str
    mime: str | None


async def read_upload(call: KnowledgeCall) -> Upload:
    """Raises :class:`DifyRefusal` for what Dify has a code for, ``InvalidParameter`` for the rest."""
    kind = call.request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "multipart/form-data":
        raise DifyRefusal(
            400, "no_file_uploaded", "Please upload your file, in a form of the type multipart/form-data."
        )
    raw = await call.raw(call.knowledge.max_file_bytes + _AROUND)

    async def stream() -> AsyncGenerator[bytes]:
        yield raw

    parser = MultiPartParser(
        call.request.headers, stream(), max_files=_PARTS, max_fields=_PARTS, max_part_size=_DATA_BYTES
    )
    # It is in memory already, within its bound: no second copy on a disk.
    parser.spool_max_size = len(raw) + 1
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise InvalidParameter(f"The form cannot be read: {error.message}") from error
    except (UnicodeDecodeError, KeyError, LookupError) as error:
        raise InvalidParameter("The form cannot be read; send it as multipart/form-data with a boundary.") from error
    try:
        return await _read(call, form)
    finally:
        await form.close()


async def _read(call: KnowledgeCall, form: FormData) -> Upload:
    data = form.get("data")
    body = await _body(data)
    # Some clients send the JSON as a file of its own.
    files = [part for _, part in form.multi_items() if isinstance(part, UploadFile) and part is not data]
    if len(files) > 1:
        raise DifyRefusal(400, "too_many_files", "Only one file is allowed.")
    if not files:
        return Upload(body, None, "", None)
    file = files[0]
    name = (body.name or file.filename or "").strip()
    if not name:
        raise DifyRefusal(400, "filename_not_exists_error", "The specified filename does not exist.")
    if any(mark in name for mark in "/\\\x00"):
        raise InvalidParameter("A file's name has no / and no \\ in it.", param="file")
    if not readable(file.filename or name, file.content_type):
        raise DifyRefusal(
            415, "unsupported_file_type", f"Files such as {name!r} cannot be read; save it as PDF, Word or text."
        )
    content = await file.read()
    if not content:
        raise InvalidParameter("The file is empty; send one with text.", param="file")
    if len(content) > call.knowledge.max_file_bytes:
        raise DifyRefusal(
            413,
            "file_too_large",
            f"The file is larger than {call.knowledge.max_file_bytes} bytes; split it, or raise knowledge.max_file_bytes.",
        )
    return Upload(body, content, name, file.content_type)


async def _body(data: UploadFile | str | None) -> DocumentBody:
    if data is None:
        return DocumentBody()
    text = await data.read() if isinstance(data, UploadFile) else data.encode()
    return _DECODER.decode_known(text) if text.strip() else DocumentBody()
