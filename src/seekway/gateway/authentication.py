"""Who asks, by the API key of a request; keys are known only by their SHA-256 digests."""

from __future__ import annotations

from seekway.core.caller import ANONYMOUS, Caller
from seekway.core.errors import AuthenticationFailed, PermissionDenied
from seekway.pipeline.exchange import Headers
from seekway.security.keys import ADMIN_SCOPE, KNOWLEDGE_SCOPE, METRICS_SCOPE, MODELS_SCOPE, SCOPES, KeyTable, digest_of

__all__ = ["ADMIN_SCOPE", "KNOWLEDGE_SCOPE", "METRICS_SCOPE", "MODELS_SCOPE", "SCOPES", "Authenticator"]

_MODELS = (MODELS_SCOPE,)


class Authenticator:
    """``table`` None means that no key is needed."""

    def __init__(self, table: KeyTable | None) -> None:
        self._table = table

    @property
    def open(self) -> bool:
        """Whether no key is needed."""
        return self._table is None

    def check(self, headers: Headers, *scopes: str) -> Caller:
        """The key's caller; raises ``AuthenticationFailed`` without saying what was wrong with the key, which is never logged.

        The key comes as ``Authorization: Bearer KEY`` or, as Anthropic's clients send it, as ``x-api-key``.
        Raises ``PermissionDenied`` for a key with none of ``scopes``, which are ``models`` where none is given.
        """
        if self._table is None:
            return ANONYMOUS
        digest = headers.key_digest
        if digest is None:
            digest = headers.key_digest = _digest(headers)
        caller = self._table.lookup(digest)
        if caller is None:
            raise AuthenticationFailed("This API key is not known here.")
        if (scopes or _MODELS)[0] not in caller.scopes and not set(scopes).intersection(caller.scopes):
            raise PermissionDenied(f"This API key has no scope {(scopes or _MODELS)[0]!r}; use one that has.")
        return caller


def _digest(headers: Headers) -> bytes:
    scheme, _, key = (headers.get(b"authorization") or "").partition(" ")
    key = key.strip() if scheme.lower() == "bearer" else (headers.get(b"x-api-key") or "").strip()
    if not key:
        raise AuthenticationFailed("Send your API key as: Authorization: Bearer KEY.")
    # Headers are bytes that are read as Latin-1.
    return digest_of(key.encode("latin-1"))
