"""A file in a form of several parts (RFC 7578), read as it comes: what is long waits on the disk, and nothing is read beyond its bound."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect

from seekway.core.errors import Cancelled, InvalidParameter, RequestTimeout
from seekway.gateway.dify.app_call import AppCall, session_of
from seekway.gateway.dify.errors import DifyRefusal

_AROUND: Final = 2**20
"""What a form may be longer than its file: its other parts."""

_FIELDS: Final = 20
_FIELD_BYTES: Final = 64 * 1024


class Form:
    """``file`` is None where there is none; ``session`` names the end user."""

    def __init__(self, data: FormData) -> None:
        user = data.get("user")
        self.session = session_of(user if isinstance(user, str) else None, required=False)
        files = [part for _, part in data.multi_items() if isinstance(part, UploadFile)]
        if len(files) > 1:
            raise DifyRefusal(400, "too_many_files", "Only one file is allowed.")
        self.file = files[0] if files else None


@asynccontextmanager
async def read_form(call: AppCall, most_file_bytes: int, too_large: DifyRefusal) -> AsyncGenerator[Form]:
    """Empty for what is no form. Raises ``too_large`` for what is longer than the largest file, ``InvalidParameter`` for what cannot be read."""
    kind = call.request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "multipart/form-data":
        yield Form(FormData())
        return
    data = await _parse(call, most_file_bytes + _AROUND, too_large)
    try:
        yield Form(data)
    finally:
        await data.close()


async def _parse(call: AppCall, most_bytes: int, too_large: DifyRefusal) -> FormData:
    async def bounded() -> AsyncGenerator[bytes]:
        length = 0
        async for chunk in call.request.stream():
            length += len(chunk)
            if length > most_bytes:
                raise too_large
            yield chunk

    stream = bounded()
    parser = MultiPartParser(
        call.request.headers, stream, max_files=_FIELDS, max_fields=_FIELDS, max_part_size=_FIELD_BYTES
    )
    try:
        async with asyncio.timeout_at(call.deadline):
            return await parser.parse()
    except MultiPartException as error:
        raise InvalidParameter(f"The form cannot be read: {error.message}") from error
    except (UnicodeDecodeError, LookupError) as error:
        raise InvalidParameter("The form cannot be read; send it as multipart/form-data with a boundary.") from error
    except TimeoutError as error:
        raise RequestTimeout("The request's body did not arrive in time; send it again.") from error
    except ClientDisconnect as error:
        raise Cancelled("The client went away while sending the request.") from error
    finally:
        await stream.aclose()
