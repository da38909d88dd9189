"""A failed request as a response of the framework."""

from __future__ import annotations

from starlette.responses import Response

from seekway.core.errors import SeekwayError
from seekway.gateway.dialects.openai_errors import OPENAI_ERRORS
from seekway.gateway.encoder import ErrorForm


def error_response(error: SeekwayError, form: ErrorForm = OPENAI_ERRORS, request_id: str = "") -> Response:
    return Response(form.body(error, request_id), error.status, form.headers(error), "application/json")
