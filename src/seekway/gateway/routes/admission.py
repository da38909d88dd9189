"""Who asks for a page that is no model call, noted in the record of the request."""

from __future__ import annotations

from starlette.requests import Request

from seekway.core.settings import is_loopback
from seekway.gateway.authentication import SCOPES
from seekway.gateway.model_call import CallServices
from seekway.gateway.request_edge import record_of
from seekway.pipeline.exchange import Headers


def admit(request: Request, services: CallServices, *scopes: str) -> None:
    """Raises ``AuthenticationFailed`` and ``PermissionDenied`` as :meth:`seekway.gateway.authentication.Authenticator.check`."""
    caller = services.authenticator.check(Headers(request.scope["headers"]), *scopes)
    record = record_of(request)
    record.tenant, record.key_id = caller.tenant, caller.key_id


def admit_to_page(request: Request, services: CallServices, *scopes: str) -> None:
    """The same for the pages of ``gateway.open_pages``, with any of ``scopes``, or any key where none is given."""
    settings = services.settings
    if not (is_loopback(settings.host) if settings.open_pages is None else settings.open_pages):
        admit(request, services, *(scopes or SCOPES))
