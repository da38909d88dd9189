"""Notes the language of what a user asks."""

from __future__ import annotations

from seekway.core.types import GenerateRequest
from seekway.pipeline.exchange import Exchange
from seekway.pipeline.guardrails.language import detect
from seekway.pipeline.stages.message_text import question_of

HEADER = b"x-seekway-language"
_MOST_CHARACTERS = 2000


class DetectLanguage:
    """For the stages after it, the log, and the client in the header ``x-seekway-language``; ``und`` where it cannot be told."""

    name = "detect_language"

    def __call__(self, request: GenerateRequest, exchange: Exchange) -> GenerateRequest:
        found = detect(question_of(request)[:_MOST_CHARACTERS])
        exchange.language = exchange.record.language = found.language
        exchange.response_headers.append((HEADER, (found.language or "und").encode()))
        return request
