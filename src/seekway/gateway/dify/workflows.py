"""Workflows, which no application here is yet: their endpoints answer as Dify does to the key of another kind of application."""

from __future__ import annotations

from starlette.responses import Response

from seekway.gateway.dify.app_call import AppCall
from seekway.gateway.dify.app_errors import not_workflow_app


async def no_workflow(call: AppCall) -> Response:
    raise not_workflow_app()
