"""Who asks: the key's identity as every layer sees it, never the key."""

from __future__ import annotations

import msgspec

from seekway.core.allowance import Allowance, Budget


class Caller(msgspec.Struct, frozen=True):
    """``key_id`` is the key's public name and ``tenant`` whom it belongs to, both empty on an open gateway.

    ``priority`` 0 is served first and shed last; ``tags`` are for routing; ``models`` are the names this key may ask for, empty for all.
    ``app`` is the slug of the application that the key opens, and nothing else; empty for every other key.
    ``limits`` and ``budget`` are the key's own; None leaves it to the rules in the settings.
    A key's callers are one object as long as nothing of the key changes: stages may compare them with ``is``.
    """

    key_id: str = ""
    tenant: str = ""
    priority: int = 1
    tags: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    app: str = ""
    limits: Allowance | None = None
    budget: Budget | None = None


ANONYMOUS = Caller()
