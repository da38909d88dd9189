"""A short run of every target: the kept inputs first, then new ones for as many turns as a test may take."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.fuzz.http_connection import TOKENS, close
from tests.fuzz.targets import TARGETS, seeds

_BOUNDED = settings(
    max_examples=150, deadline=None, derandomize=True, database=None, suppress_health_check=(HealthCheck.too_slow,)
)
_CUT, _PAUSE = b"\xfe", b"\xfe\xfe"
_PIECES = st.one_of(
    st.integers(0, len(TOKENS) - 1).map(lambda token: bytes((0xFD, token))),
    st.integers(0, len(TOKENS) - 1).map(lambda token: bytes((0xFD, token))),
    st.sampled_from((_CUT, _CUT, _PAUSE)),
    st.binary(max_size=4),
)
_CONNECTIONS = st.tuples(st.sampled_from((b"k", b"o")), st.lists(_PIECES, max_size=16).map(b"".join)).map(b"".join)


@pytest.fixture(scope="module", autouse=True)
def machines() -> Iterator[None]:
    yield
    close()


@pytest.mark.parametrize("name", TARGETS)
def test_kept_inputs_break_nothing(name: str) -> None:
    kept = seeds(name)
    assert kept
    for data in kept:
        TARGETS[name](data)


@pytest.mark.parametrize("name", TARGETS)
@_BOUNDED
@example(data=b"")
@given(data=st.binary(max_size=600))
def test_no_bytes_break_a_promise(name: str, data: bytes) -> None:
    TARGETS[name](data)


@_BOUNDED
@given(data=_CONNECTIONS)
def test_no_connection_breaks_a_promise(data: bytes) -> None:
    TARGETS["http"](data)
