"""Bearer keys, known only by their SHA-256 digests."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable

from starlette.requests import Request

from seekway.core.errors import AuthenticationFailed


def key_digests(lines: str) -> frozenset[bytes]:
    """Digests of the keys in a key file's text: one key a line, empty lines and ``#`` comments skipped."""
    keys = (line.strip() for line in lines.splitlines())
    return frozenset(hashlib.sha256(key.encode()).digest() for key in keys if key and not key.startswith("#"))


class Authenticator:
    """``digests`` None means that no key is needed."""

    def __init__(self, digests: Iterable[bytes] | None) -> None:
        self._digests = None if digests is None else tuple(digests)

    def check(self, request: Request) -> None:
        """Raises ``AuthenticationFailed`` without saying what was wrong with the key; never logs it."""
        if self._digests is None:
            return
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not key.strip():
            raise AuthenticationFailed("Send your API key as: Authorization: Bearer KEY.")
        # Headers are bytes that Starlette reads as Latin-1; every digest is compared, so that time tells nothing.
        digest = hashlib.sha256(key.strip().encode("latin-1")).digest()
        if not sum(hmac.compare_digest(digest, known) for known in self._digests):
            raise AuthenticationFailed("This API key is not known here.")
