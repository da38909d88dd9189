"""What a request says of caching is heeded, in the header and in the body."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seekway.core.errors import InvalidParameter
from seekway.pipeline.cache.control import NO_WISHES, CacheControl, read_header, with_body


@pytest.mark.parametrize(
    ("header", "control"),
    [
        ("", NO_WISHES),
        ("no-cache", CacheControl(reads=False)),
        ("No-Cache, private", CacheControl(reads=False)),
        ("no-store", CacheControl(reads=False, stores=False)),
        ("only-if-cached", CacheControl(only_cached=True)),
        ("only-if-cached, no-store", CacheControl(stores=False, only_cached=True)),
        ("max-age=60", CacheControl(max_age_s=60.0)),
        ('max-age="60" , min-fresh=5', CacheControl(max_age_s=60.0, min_fresh_s=5.0)),
        ("max-age=0", CacheControl(reads=False, max_age_s=0.0)),
        ("max-age=60, max-age=5", CacheControl(max_age_s=60.0)),
        ("max-age=soon, max-stale, no-transform, no-cachet", NO_WISHES),
        ("max-age=-1", NO_WISHES),
        (f"max-age={'9' * 5000}", NO_WISHES),
    ],
)
def test_directives_of_the_header(header: str, control: CacheControl) -> None:
    assert read_header(header) == control


@given(st.text())
def test_any_header_can_be_read(header: str) -> None:
    read_header(header)


@pytest.mark.parametrize(
    ("header", "wishes", "control"),
    [
        ("", {}, NO_WISHES),
        ("", {"no-cache": True, "unknown": 1}, CacheControl(reads=False)),
        ("", {"no-store": True}, CacheControl(reads=False, stores=False)),
        ("", {"ttl": 5, "namespace": "n"}, CacheControl(ttl_s=5.0, namespace="n")),
        ("", {"ttl": 0}, CacheControl(stores=False, ttl_s=0.0)),
        ("max-age=60", {"s-maxage": 30}, CacheControl(max_age_s=30.0)),
        ("no-cache", {"no-cache": False}, CacheControl(reads=False)),
        ("only-if-cached", {"no-store": True}, CacheControl(stores=False, only_cached=True)),
    ],
)
def test_the_body_can_only_make_it_stricter(header: str, wishes: dict[str, Any], control: CacheControl) -> None:
    assert with_body(read_header(header), wishes) == control


@pytest.mark.parametrize("wishes", [{"ttl": "long"}, {"ttl": -1}, {"no-cache": 1}, {"namespace": "n" * 257}])
def test_a_wish_of_the_wrong_type_is_refused(wishes: dict[str, Any]) -> None:
    with pytest.raises(InvalidParameter, match="cache") as refused:
        with_body(NO_WISHES, wishes)
    assert refused.value.param == "cache"


def test_age_and_freshness_decide_what_is_taken() -> None:
    control = read_header("max-age=60, min-fresh=10")
    assert control.takes(60, 10)
    assert not control.takes(61, 10)
    assert not control.takes(60, 9)
    assert NO_WISHES.takes(1e9, 0)
