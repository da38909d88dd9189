"""Who asks: the key's identity as the stages see it, never the key."""

from __future__ import annotations

import msgspec


class Caller(msgspec.Struct, frozen=True):
    """``key_id`` is the key's public name and ``tenant`` whom it belongs to, both empty on an open gateway.

    ``priority`` 0 is served first and shed last; ``tags`` are for routing; ``models`` are the names this key may ask for, empty for all.
    """

    key_id: str = ""
    tenant: str = ""
    priority: int = 1
    tags: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()


ANONYMOUS = Caller()
