"""Who asks over Dify's API, by the two kinds of its keys."""

from __future__ import annotations

from seekway.core.caller import ANONYMOUS, Caller
from seekway.core.errors import AuthenticationFailed, PermissionDenied
from seekway.gateway.authentication import KNOWLEDGE_SCOPE, Authenticator
from seekway.pipeline.exchange import Headers


def bearer_token(headers: Headers) -> str:
    """Raises ``AuthenticationFailed`` in Dify's words."""
    scheme, _, token = (headers.get(b"authorization") or "").partition(" ")
    if not scheme or not token.strip():
        raise AuthenticationFailed("Authorization header must be provided and start with 'Bearer'")
    if scheme.lower() != "bearer":
        raise AuthenticationFailed("Authorization scheme must be 'Bearer'")
    return token.strip()


def dataset_caller(headers: Headers, authenticator: Authenticator) -> Caller:
    """Whose knowledge a key opens. Where no keys are configured any ``dataset-…`` opens that of the tenant without a name.

    Raises ``AuthenticationFailed``, also for a key of an application.
    """
    token = bearer_token(headers)
    if authenticator.open:
        if not token.startswith("dataset-"):
            raise AuthenticationFailed(
                "Access token is invalid: knowledge bases take keys that begin with dataset-, and here any such will do."
            )
        return ANONYMOUS
    try:
        return authenticator.check(headers, KNOWLEDGE_SCOPE)
    except (AuthenticationFailed, PermissionDenied) as error:
        raise AuthenticationFailed(
            "Access token is invalid: make one with seekway keys create --scope knowledge."
        ) from error
