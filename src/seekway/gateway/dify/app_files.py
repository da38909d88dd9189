"""Files that come with questions: sent before, read again after."""

from __future__ import annotations

import mimetypes
import re
import uuid
from typing import Final
from urllib.parse import quote

import msgspec
from starlette.datastructures import UploadFile
from starlette.responses import Response

from seekway.applications.records import EndUser, Upload
from seekway.core.errors import InvalidParameter, NotFound
from seekway.gateway.dify.app_call import AppCall, reply, seconds, session_of
from seekway.gateway.dify.errors import DifyRefusal
from seekway.gateway.dify.form_file import read_form

_MB: Final = 2**20
DOCUMENT_MB: Final = 15
IMAGE_MB: Final = 10
AUDIO_MB: Final = 50
VIDEO_MB: Final = 100
"""As much as Dify takes where nobody set anything."""

_LIMITS_MB: Final = {
    **dict.fromkeys(("jpg", "jpeg", "png", "webp", "gif", "svg"), IMAGE_MB),
    **dict.fromkeys(("mp3", "m4a", "wav", "amr", "mpga"), AUDIO_MB),
    **dict.fromkeys(("mp4", "mov", "mpeg", "webm"), VIDEO_MB),
}
_MOST_NAME: Final = 200
_SHOWN: Final = ("image/", "audio/", "video/", "text/plain", "application/pdf")
"""What a browser may show; anything else could be a page of whoever sent it."""

_ACTIVE: Final = ("image/svg+xml",)
_MEDIA_TYPE: Final = re.compile(r"[a-z0-9!#$&^_.+-]{1,64}/[a-z0-9!#$&^_.+-]{1,64}")


class WireUpload(msgspec.Struct, frozen=True):
    id: str
    name: str
    size: int
    extension: str
    mime_type: str
    created_by: str
    created_at: int
    user_id: str
    tenant_id: str
    preview_url: str
    source_url: str
    original_url: str | None = None
    conversation_id: str | None = None
    file_key: str | None = None
    reference: str | None = None


async def upload(call: AppCall) -> Response:
    too_large = DifyRefusal(413, "file_too_large", f"File size exceeded. {VIDEO_MB} MB is the most for any file.")
    async with read_form(call, VIDEO_MB * _MB, too_large) as form:
        if form.file is None:
            raise DifyRefusal(400, "no_file_uploaded", "Please upload your file.")
        name = _checked_name(form.file)
        extension = name.rpartition(".")[2].lower() if "." in name else ""
        most = _LIMITS_MB.get(extension, DOCUMENT_MB)
        if (form.file.size or 0) > most * _MB:
            raise DifyRefusal(
                413, "file_too_large", f"File size exceeded. A file such as {name} has at most {most} MB."
            )
        mime = _mime(form.file.content_type, name)
        body = await form.file.read()
        user = await call.user(form.session)
    kept = Upload(call.app.id, str(uuid.uuid4()), user.id, name, len(body), extension, mime, call.store.clock())
    await call.store.uploads.keep(kept, body)
    return reply(_wire(call, user, kept), 201)


async def preview(call: AppCall) -> Response:
    """A file that came with a message of this application."""
    file = call.id_of_path("file_id")
    if not await call.store.messages.carries(call.app.id, file):
        raise _not_found()
    try:
        found, body = await call.store.uploads.body(call.app.id, file)
    except NotFound as error:
        raise _not_found() from error
    session = session_of(call.asked("user"), required=False)
    if session is not None and (await call.user(session)).id != found.user:
        # Without a name the key alone opens it, as the address in the conversation's history does.
        raise _not_found()
    shown = found.mime.startswith(_SHOWN) and not found.mime.startswith(_ACTIVE)
    attached = not shown or call.asked("as_attachment").lower() in ("true", "1", "yes")
    headers = {
        "cache-control": "private, max-age=3600",
        "x-content-type-options": "nosniff",
        "content-disposition": f"{'attachment' if attached else 'inline'}; filename*=UTF-8''{quote(found.name)}",
    }
    return Response(body, headers=headers, media_type=found.mime)


def _checked_name(file: UploadFile) -> str:
    name = (file.filename or "").replace("\x00", "").strip()
    if not name:
        raise DifyRefusal(400, "filename_not_exists_error", "The specified filename does not exist.")
    if "/" in name or "\\" in name:
        raise InvalidParameter("Filename contains invalid characters", param="file")
    if len(name) > _MOST_NAME:
        stem, dot, extension = name.rpartition(".")
        name = f"{stem[:_MOST_NAME]}{dot}{extension[:_MOST_NAME]}" if dot else name[:_MOST_NAME]
    return name


def _mime(told: str | None, name: str) -> str:
    """Without parameters and in small letters; what is no media type is guessed from the name."""
    kind = (told or "").partition(";")[0].strip().lower()
    if _MEDIA_TYPE.fullmatch(kind):
        return kind
    return mimetypes.guess_type(name)[0] or "application/octet-stream"


def _not_found() -> DifyRefusal:
    return DifyRefusal(404, "file_not_found", "The requested file was not found.")


def _wire(call: AppCall, user: EndUser, kept: Upload) -> WireUpload:
    url = f"{call.base()}/v1/files/{kept.id}/preview"
    return WireUpload(
        id=kept.id,
        name=kept.name,
        size=kept.size,
        extension=kept.extension,
        mime_type=kept.mime,
        created_by=user.id,
        created_at=seconds(kept.created_at),
        user_id=user.id,
        tenant_id=call.app.tenant,
        preview_url=url,
        source_url=url,
    )
