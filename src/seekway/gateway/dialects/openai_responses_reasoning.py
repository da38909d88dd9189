"""The reasoning item's ``encrypted_content``: how a client that keeps nothing of a reasoning item but this field gives the reasoning back.

The text is wrapped and not encrypted: it stands readable in the same item's ``content``, so there is nothing to hide,
and whoever sends the items back could change ``content`` as well.
"""

from __future__ import annotations

import base64
import binascii

_MARK = "seekway-reasoning-1."


def wrap(text: str) -> str:
    return _MARK + base64.urlsafe_b64encode(text.encode()).decode("ascii")


def unwrap(wrapped: str) -> str | None:
    """The text that :func:`wrap` was given; None for what another server has made."""
    if not wrapped.startswith(_MARK):
        return None
    try:
        return base64.b64decode(wrapped.removeprefix(_MARK), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        return None
