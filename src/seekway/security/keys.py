"""Virtual keys: what is known of one, and the table that a request's key is looked up in.

Only a key's SHA-256 digest is kept. A slow, salted hash protects secrets that people choose, which can be guessed;
a key is 256 random bits, which cannot, and is checked once a request, where a slow hash would be an attacker's lever.
The table is a dict by digest: whoever does not know a key cannot choose its digest's bytes, so that the time of a lookup tells nothing.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable, Iterable
from typing import Annotated, TypeVar, cast

import msgspec
from msgspec import Meta

from seekway.core.allowance import Allowance, Budget
from seekway.core.caller import Caller

Digest = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]
Clock = Callable[[], float]
T = TypeVar("T")

MODELS_SCOPE = "models"
ADMIN_SCOPE = "admin"
METRICS_SCOPE = "metrics"
KNOWLEDGE_SCOPE = "knowledge"
SCOPES = (MODELS_SCOPE, ADMIN_SCOPE, METRICS_SCOPE, KNOWLEDGE_SCOPE)
"""``models`` opens the model routes, ``admin`` those that tell of the gateway and change it, ``metrics`` the page that is scraped, ``knowledge`` the tenant's knowledge bases."""


class Retired(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A key that was rotated away: its digest still opens until ``until`` (Unix seconds)."""

    digest: Digest
    until: int


class KeyRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One virtual key as it is kept. Times are Unix seconds; ``expires`` and ``revoked`` None: never, not."""

    id: Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[\w.-]+$")]
    digest: Digest
    created: int
    tenant: str = ""
    note: str = ""
    scopes: tuple[str, ...] = (MODELS_SCOPE,)
    models: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    priority: Annotated[int, Meta(ge=0, le=9)] = 1
    expires: int | None = None
    retired: tuple[Retired, ...] = ()
    revoked: int | None = None
    limits: Allowance | None = None
    budget: Budget | None = None


def make_secret(scopes: tuple[str, ...] = (MODELS_SCOPE,)) -> str:
    """A new key: 256 random bits, written as DeepSeek writes its keys, or as Dify does where it opens knowledge alone."""
    prefix = "dataset" if scopes == (KNOWLEDGE_SCOPE,) else "sk"
    return f"{prefix}-{secrets.token_urlsafe(32)}"


def digest_of(key: bytes) -> bytes:
    """What a key is looked up and kept by."""
    return hashlib.sha256(key).digest()


def key_state(record: KeyRecord, now: float) -> str:
    """``active``, ``expired`` or ``revoked``."""
    if record.revoked is not None:
        return "revoked"
    return "expired" if record.expires is not None and now >= record.expires else "active"


class KeyTable:
    """Every key that opens, by digest. ``clock`` is Unix time: expiry is judged when a key is looked up.

    A key has one :class:`Caller` for all its requests.
    """

    def __init__(self, records: Iterable[KeyRecord] = (), clock: Clock = time.time) -> None:
        self._clock = clock
        self._callers: dict[bytes, Caller] = {}
        self._until: dict[bytes, int] = {}
        interned: dict[object, object] = {}
        for record in records:
            if record.revoked is None:
                self._add(record, interned)

    def __len__(self) -> int:
        """How many digests open something, retired ones among them."""
        return len(self._callers)

    def lookup(self, digest: bytes) -> Caller | None:
        """Who has the key with this digest; None when it is unknown, revoked or expired."""
        caller = self._callers.get(digest)
        if caller is not None and (until := self._until.get(digest)) is not None and self._clock() >= until:
            return None
        return caller

    def add_plain(self, lines: str) -> None:
        """Keys of a plain file, one a line, ``#`` begins a comment: each opens everything and has no limits of its own."""
        for line in lines.splitlines():
            key = line.strip()
            if key and not key.startswith("#"):
                digest = digest_of(key.encode())
                self._callers[digest] = Caller(key_id=f"file-{digest.hex()[:8]}", scopes=SCOPES)
                self._until.pop(digest, None)

    def _add(self, record: KeyRecord, interned: dict[object, object]) -> None:
        def one(value: T) -> T:
            # 100,000 keys have few different tenants, scopes and tags; each is kept once.
            return cast("T", interned.setdefault(value, value))

        caller = Caller(
            key_id=record.id,
            tenant=one(record.tenant),
            priority=record.priority,
            tags=one(record.tags),
            models=one(record.models),
            scopes=one(record.scopes),
            limits=one(record.limits),
            budget=one(record.budget),
        )
        for digest_hex, until in ((record.digest, None), *((r.digest, r.until) for r in record.retired)):
            digest = bytes.fromhex(digest_hex)
            self._callers[digest] = caller
            ends = [time_s for time_s in (record.expires, until) if time_s is not None]
            if ends:
                self._until[digest] = min(ends)
