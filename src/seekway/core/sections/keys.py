"""Virtual keys."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta


class KeySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    file: Annotated[
        str | None,
        Meta(
            description="File of virtual keys that `seekway keys` keeps, only their SHA-256 digests in it; when set, every model route needs a key."
        ),
    ] = None
