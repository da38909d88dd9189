"""Speech, which no application here has: each endpoint answers as Dify does where it is switched off."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from seekway.core.errors import InvalidParameter
from seekway.gateway.dify.app_call import AppCall
from seekway.gateway.dify.errors import DifyRefusal
from seekway.gateway.dify.form_file import read_form

AUDIO_MB: Final = 30
_TOO_LARGE: Final = (413, "audio_too_large", f"Audio size larger than {AUDIO_MB} mb")


async def audio_to_text(call: AppCall) -> Response:
    async with read_form(call, AUDIO_MB * 2**20, DifyRefusal(*_TOO_LARGE)) as form:
        if form.file is None:
            raise DifyRefusal(400, "no_audio_uploaded", "Please upload your audio.")
    raise DifyRefusal(400, "speech_to_text_disabled", "Speech to text is disabled.")


async def text_to_audio(call: AppCall) -> Response:
    raise InvalidParameter("TTS is not enabled")
