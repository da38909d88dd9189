"""The gateway's own description: the OpenAPI document and the page that shows it."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from seekway.gateway.front import Front
from seekway.gateway.routes.admission import admit_to_page

DOCUMENT = "/openapi.json"


class DocumentRoutes:
    def __init__(self, front: Front, app: FastAPI) -> None:
        self._front = front
        self._app = app

    async def document(self, request: Request) -> Response:
        """The OpenAPI document."""
        admit_to_page(request, self._front.services)
        return JSONResponse(self._app.openapi())

    async def page(self, request: Request) -> Response:
        """For people; a browser that sends no key sees it only where the pages are open."""
        admit_to_page(request, self._front.services)
        return get_swagger_ui_html(openapi_url=DOCUMENT, title=self._app.title)
