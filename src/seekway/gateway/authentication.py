"""API keys, known only by their SHA-256 digests."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from seekway.core.errors import AuthenticationFailed
from seekway.pipeline.caller import ANONYMOUS, Caller
from seekway.pipeline.exchange import Headers


def key_digests(lines: str) -> frozenset[bytes]:
    """Digests of the keys in a key file's text: one key a line, empty lines and ``#`` comments skipped."""
    keys = (line.strip() for line in lines.splitlines())
    return frozenset(hashlib.sha256(key.encode()).digest() for key in keys if key and not key.startswith("#"))


class Authenticator:
    """``digests`` None means that no key is needed."""

    def __init__(self, digests: Iterable[bytes] | None) -> None:
        self._digests = None if digests is None else frozenset(digests)

    def check(self, headers: Headers) -> Caller:
        """Raises ``AuthenticationFailed`` without saying what was wrong with the key; never logs it.

        The key comes as ``Authorization: Bearer KEY`` or, as Anthropic's clients send it, as ``x-api-key``.
        A set is looked up by digest: what its timing could tell is about the digest, from which no key follows.
        """
        if self._digests is None:
            return ANONYMOUS
        scheme, _, key = (headers.get(b"authorization") or "").partition(" ")
        key = key.strip() if scheme.lower() == "bearer" else (headers.get(b"x-api-key") or "").strip()
        if not key:
            raise AuthenticationFailed("Send your API key as: Authorization: Bearer KEY.")
        # Headers are bytes that are read as Latin-1.
        if hashlib.sha256(key.encode("latin-1")).digest() not in self._digests:
            raise AuthenticationFailed("This API key is not known here.")
        return ANONYMOUS
