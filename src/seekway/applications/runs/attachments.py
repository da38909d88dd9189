"""Files that come with a question, as the model gets them: pictures to look at, documents as text."""

from __future__ import annotations

import asyncio
import base64
import uuid
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any, Final, Protocol, cast
from urllib.parse import unquote, urlsplit

import msgspec

from seekway.applications.definition import Definition, FileKind, FileUse, FormField, TransferMethod
from seekway.applications.records import MessageFile, Upload
from seekway.applications.runs.form import form_files
from seekway.applications.service import AskedFile
from seekway.applications.store.uploads import UploadRows
from seekway.core.errors import AppUnavailable, InvalidRequest
from seekway.core.types import ImagePart
from seekway.knowledge.parsing.parsed import Parsed

_KEPT: Final = 32
_KEPT_CHARACTERS: Final = 4_000_000
_LONG_BODY: Final = 2**18
_UNSEEN: Final[dict[str, str]] = {"audio": "heard", "video": "watched"}


class Reader(Protocol):
    """Reads documents; :class:`seekway.knowledge.parsing.reader_process.DocumentReader`."""

    async def read(self, data: bytes, filename: str, mime: str | None = None) -> Parsed: ...


class Attached(msgspec.Struct, frozen=True):
    """``files`` are for the record; ``documents`` are names with texts."""

    files: tuple[MessageFile, ...] = ()
    images: tuple[ImagePart, ...] = ()
    documents: tuple[tuple[str, str], ...] = ()


class _Wanted(msgspec.Struct, frozen=True):
    file: AskedFile
    use: FileUse


class Attachments:
    """``reader`` None: documents cannot be read here."""

    def __init__(self, uploads: UploadRows, reader: Reader | None) -> None:
        self._uploads = uploads
        self._reader = reader
        self._texts: OrderedDict[str, str] = OrderedDict()

    async def load(
        self, app: str, user: str, definition: Definition, asked: Sequence[AskedFile], inputs: dict[str, Any]
    ) -> Attached:
        """Raises ``InvalidRequest`` for what the definition does not take or a model cannot see, ``NotFound`` for an upload of nobody's or another's,
        ``DocumentUnreadable``, and ``AppUnavailable`` where documents cannot be read here."""
        wanted = [*_of_question(definition.files, asked), *_of_form(definition.form, inputs)]
        if not wanted:
            return Attached()
        files: list[MessageFile] = []
        images: list[ImagePart] = []
        documents: list[tuple[str, str]] = []
        for one in wanted:
            file, upload = await self._known(app, user, one)
            if file.kind in _UNSEEN:
                raise InvalidRequest(
                    f"{file.filename or 'The file'} cannot be {_UNSEEN[file.kind]} by this application's model; send pictures or documents.",
                    param="files",
                )
            files.append(file)
            if file.kind == "image":
                images.append(ImagePart(await self._picture(app, file, upload), one.use.image_detail))
            else:
                documents.append((file.filename, await self._text(app, upload)))
        return Attached(tuple(files), tuple(images), tuple(documents))

    async def _known(self, app: str, user: str, wanted: _Wanted) -> tuple[MessageFile, Upload | None]:
        file, use = wanted.file, wanted.use
        if file.kind not in use.kinds:
            raise InvalidRequest(
                f"This application takes no file of the type {file.kind}; it takes: {', '.join(use.kinds)}.",
                param="files",
            )
        if file.method not in use.methods:
            raise InvalidRequest(
                f"This application takes no file by {file.method}; send it by {' or '.join(use.methods)}.",
                param="files",
            )
        identifier = str(uuid.uuid4())
        if file.method == "remote_url":
            name = _address(file)
            _check_extension(use, name)
            return MessageFile(identifier, file.kind, file.method, url=file.url, filename=name), None
        if not file.upload:
            raise InvalidRequest("A local_file needs its upload_file_id.", param="upload_file_id")
        upload = await self._uploads.upload(app, user, file.upload)
        _check_extension(use, upload.name)
        made = MessageFile(
            identifier,
            file.kind,
            file.method,
            upload=upload.id,
            filename=upload.name,
            mime=upload.mime,
            size=upload.size,
        )
        return made, upload

    async def _picture(self, app: str, file: MessageFile, upload: Upload | None) -> str:
        if upload is None:
            return file.url
        if not upload.mime.startswith("image/"):
            raise InvalidRequest(f"{upload.name} is no picture but {upload.mime or 'of no known type'}.", param="files")
        _, body = await self._uploads.body(app, upload.id)
        if len(body) > _LONG_BODY:
            return await asyncio.to_thread(_data_url, upload.mime, body)
        return _data_url(upload.mime, body)

    async def _text(self, app: str, upload: Upload | None) -> str:
        if upload is None:
            raise InvalidRequest(
                "Documents are not fetched from addresses; upload the document and send it as local_file.",
                param="files",
            )
        known = self._texts.get(upload.id)
        if known is not None:
            self._texts.move_to_end(upload.id)
            return known
        if self._reader is None:
            raise AppUnavailable("Documents cannot be read here; ask without one.", param="files")
        _, body = await self._uploads.body(app, upload.id)
        text = (await self._reader.read(body, upload.name, upload.mime or None)).text
        self._texts[upload.id] = text
        while len(self._texts) > _KEPT or (
            len(self._texts) > 1 and sum(map(len, self._texts.values())) > _KEPT_CHARACTERS
        ):
            self._texts.popitem(last=False)
        return text


def _of_question(use: FileUse, asked: Sequence[AskedFile]) -> list[_Wanted]:
    if not asked:
        return []
    if not use.enabled:
        raise InvalidRequest("This application takes no files; ask without one.", param="files")
    if len(asked) > use.number:
        raise InvalidRequest(
            f"{len(asked)} files came, and this application takes at most {use.number} at a time.", param="files"
        )
    return [_Wanted(file, use) for file in asked]


def _of_form(form: Sequence[FormField], inputs: dict[str, Any]) -> list[_Wanted]:
    return [_Wanted(file, _field_use(field)) for field, files in form_files(form, inputs) for file in files]


def _field_use(field: FormField) -> FileUse:
    """A field has Dify's own members for what it takes; where it says nothing, every kind and way."""
    kinds = _texts(field.rest.get("allowed_file_types")) or ("image", "document", "audio", "video", "custom")
    methods = _texts(field.rest.get("allowed_file_upload_methods")) or ("remote_url", "local_file")
    # Dify's `custom` means: by the extensions given.
    custom = "custom" in kinds
    return FileUse(
        enabled=True,
        kinds=cast("tuple[FileKind, ...]", ("image", "document", "audio", "video", "custom") if custom else kinds),
        methods=cast("tuple[TransferMethod, ...]", methods),
        extensions=_texts(field.rest.get("allowed_file_extensions")) if custom else (),
    )


def _texts(value: object) -> tuple[str, ...]:
    return tuple(map(str, cast("list[object]", value))) if isinstance(value, list) else ()


def _address(file: AskedFile) -> str:
    """The name at the end of a file's address. Raises ``InvalidRequest``."""
    try:
        parts = urlsplit(file.url)
    except ValueError as error:
        raise _no_address() from error
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise _no_address()
    return PurePosixPath(unquote(parts.path)).name


def _no_address() -> InvalidRequest:
    return InvalidRequest("A remote_url needs a url that begins with http:// or https://.", param="url")


def _check_extension(use: FileUse, name: str) -> None:
    if not use.extensions:
        return
    extension = PurePosixPath(name).suffix.lstrip(".").lower()
    allowed = {one.lstrip(".").lower() for one in use.extensions}
    if extension not in allowed:
        raise InvalidRequest(
            f"{name} is of a type that this application does not take; it takes: {', '.join(sorted(allowed))}.",
            param="files",
        )


def _data_url(mime: str, body: bytes) -> str:
    return f"data:{mime};base64,{base64.b64encode(body).decode('ascii')}"
