"""Reaching a backend: its addresses, TLS.

Addresses are tried as RFC 8305 ("happy eyeballs") has it, also on uvloop, whose own ``create_connection`` tries one after the other.
"""

from __future__ import annotations

import asyncio
import functools
import ssl
from typing import NamedTuple
from urllib.parse import quote, unquote, urlsplit

import aiohappyeyeballs

from seekway.core.errors import ConfigError
from seekway.engine.upstream.connection import Connection
from seekway.engine.upstream.names import Names
from seekway.engine.upstream.pool import Pool

_NEXT_ADDRESS_S = 0.25
_UNESCAPED = "/%:@!$&'()*+,;=-._~"


class Origin(NamedTuple):
    """Where a backend listens; ``authority`` is the ``Host`` header, ``user`` what the address gives for basic authentication."""

    host: str
    port: int
    tls: bool
    authority: str
    user: tuple[str, str] | None


def origin_of(url: str) -> Origin:
    """Raises ``ConfigError`` for an address that cannot be called."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ConfigError("A backend's base_url is not an address; write it like https://api.deepseek.com.") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError("A backend's base_url is not an address; write it like https://api.deepseek.com.")
    tls = parts.scheme == "https"
    default = 443 if tls else 80
    try:
        # What getaddrinfo would do to a name in other letters; the Host header needs it too.
        host = parts.hostname if parts.hostname.isascii() else parts.hostname.encode("idna").decode("ascii")
    except UnicodeError:
        raise ConfigError("The host in a backend's base_url is not a name; check it.") from None
    shown = f"[{host}]" if ":" in host else host
    user = (unquote(parts.username), unquote(parts.password or "")) if parts.username is not None else None
    authority = shown if port is None or port == default else f"{shown}:{port}"
    if not authority.isprintable() or " " in authority:
        raise ConfigError("The host in a backend's base_url is not a name; check it.")
    return Origin(host, port or default, tls, authority, user)


def target_of(url: str) -> str:
    """The request target for ``url``: path and query, with what may not stand in a request line escaped."""
    parts = urlsplit(url)
    path = quote(parts.path or "/", safe=_UNESCAPED)
    return f"{path}?{quote(parts.query, safe=_UNESCAPED + '?')}" if parts.query else path


class Dialer:
    """Makes connections to ``origin``; the certificate is verified against the machine's trusted roots and the host's name."""

    def __init__(self, origin: Origin, names: Names) -> None:
        self._origin = origin
        self._names = names

    async def dial(self, pool: Pool) -> Connection:
        """A connection of ``pool``; raises ``OSError`` (``ssl.SSLError``, ``socket.gaierror``) or ``ValueError``."""
        loop = asyncio.get_running_loop()
        origin = self._origin
        addresses = await self._names.addresses()
        try:
            # Its own type for an address is a tuple of unknown members.
            sock = await aiohappyeyeballs.start_connection(  # pyright: ignore[reportUnknownMemberType]
                addresses, happy_eyeballs_delay=_NEXT_ADDRESS_S, interleave=1, loop=loop
            )
        except OSError:
            self._names.doubt()  # perhaps the backend has moved
            raise
        try:
            if not origin.tls:
                _, connection = await loop.create_connection(lambda: Connection(pool), sock=sock)
                return connection
            _, connection = await loop.create_connection(
                lambda: Connection(pool), sock=sock, ssl=trusted_context(), server_hostname=origin.host
            )
        except BaseException:
            sock.close()
            raise
        return connection


@functools.cache
def trusted_context() -> ssl.SSLContext:
    """One for all backends: each would hold the machine's trusted roots anew."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context
