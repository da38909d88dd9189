"""What a request itself says of caching: ``Cache-Control`` (RFC 9111, section 5.2.1) and the body's ``cache`` object.

The body's object is the one that LiteLLM's proxy takes: ``no-cache``, ``no-store``, ``ttl``, ``s-maxage`` and ``namespace``;
here ``no-cache`` means what it means in the header: the answer is made anew, and kept.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from seekway.core.errors import InvalidParameter

_Seconds = Annotated[float, Meta(ge=0)]


class CacheControl(msgspec.Struct, frozen=True):
    """``max_age_s`` is the oldest answer taken and ``min_fresh_s`` how long it must still be good; ``ttl_s`` shortens a new answer's life."""

    reads: bool = True
    stores: bool = True
    only_cached: bool = False
    max_age_s: float | None = None
    min_fresh_s: float = 0.0
    ttl_s: float | None = None
    namespace: str = ""

    def takes(self, age_s: float, left_s: float) -> bool:
        """Whether an answer of this age, good for ``left_s`` more, will do."""
        return left_s >= self.min_fresh_s and (self.max_age_s is None or age_s <= self.max_age_s)


class _Body(
    msgspec.Struct, frozen=True, rename={"no_cache": "no-cache", "no_store": "no-store", "max_age": "s-maxage"}
):
    no_cache: bool = False
    no_store: bool = False
    ttl: _Seconds | None = None
    max_age: _Seconds | None = None
    namespace: Annotated[str, Meta(max_length=256)] = ""


NO_WISHES = CacheControl()


@lru_cache(maxsize=256)
def read_header(value: str) -> CacheControl:
    """What ``Cache-Control`` asks for; directives that are unknown or malformed are ignored, as the RFC wants it.

    ``no-store`` leaves the cache out of it altogether, unless ``only-if-cached`` stands beside it.
    """
    directives: dict[str, str] = {}
    for part in value.lower().split(","):
        name, _, argument = part.strip().partition("=")
        directives.setdefault(name.strip(), argument.strip().strip('"'))
    only_cached = "only-if-cached" in directives
    stores = "no-store" not in directives
    max_age_s = _seconds(directives.get("max-age"))
    reads = "no-cache" not in directives and max_age_s != 0 and (stores or only_cached)
    return CacheControl(
        reads=reads,
        stores=stores,
        only_cached=only_cached,
        max_age_s=max_age_s,
        min_fresh_s=_seconds(directives.get("min-fresh")) or 0.0,
    )


def with_body(control: CacheControl, wishes: dict[str, Any]) -> CacheControl:
    """``control`` made stricter by the body's ``cache`` object; raises ``InvalidParameter`` for a value of the wrong type."""
    try:
        body = msgspec.convert(wishes, _Body)
    except msgspec.ValidationError as error:
        raise InvalidParameter(f"cache: {error}.", param="cache") from error
    ages = [age for age in (control.max_age_s, body.max_age) if age is not None]
    max_age_s = min(ages, default=None)
    stores = control.stores and not body.no_store and body.ttl != 0
    return CacheControl(
        reads=control.reads and not body.no_cache and max_age_s != 0 and (not body.no_store or control.only_cached),
        stores=stores,
        only_cached=control.only_cached,
        max_age_s=max_age_s,
        min_fresh_s=control.min_fresh_s,
        ttl_s=body.ttl,
        namespace=body.namespace,
    )


def _seconds(text: str | None) -> float | None:
    # Nine digits are thirty years; int() of a very long text is slow.
    return float(text) if text is not None and text.isascii() and text.isdigit() and len(text) <= 9 else None
