"""A failed request as a response of the framework."""

from __future__ import annotations

from starlette.responses import Response

from seekway.core.errors import SeekwayError
from seekway.gateway.dialects.anthropic_errors import ANTHROPIC_ERRORS
from seekway.gateway.dialects.openai_errors import OPENAI_ERRORS
from seekway.gateway.dify.errors import DIFY_ERRORS, KNOWLEDGE_PATHS
from seekway.gateway.encoder import ErrorForm


def form_for(path: str) -> ErrorForm:
    """The dialect of a path that may not exist, so that a client reads why it was refused."""
    if path.startswith(KNOWLEDGE_PATHS):
        return DIFY_ERRORS
    return ANTHROPIC_ERRORS if path.startswith(("/anthropic/", "/v1/messages")) else OPENAI_ERRORS


def error_response(error: SeekwayError, form: ErrorForm = OPENAI_ERRORS, request_id: str = "") -> Response:
    return Response(form.body(error, request_id), form.status(error), form.headers(error), "application/json")
