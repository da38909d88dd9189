from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from seekway.app.garbage import settle


class _Circle:
    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:  # pyright: ignore[reportUnusedFunction]
    threshold = gc.get_threshold()
    yield
    gc.set_threshold(*threshold)
    gc.unfreeze()


def test_what_was_made_at_the_start_is_not_looked_through_again() -> None:
    made: list[object] = [object()]
    settle()
    assert gc.get_freeze_count() > 0
    assert not any(found is made for found in gc.get_objects())


def test_circles_that_requests_leave_are_still_collected() -> None:
    settle()
    left = weakref.ref(_Circle())
    many = [[number] for number in range(gc.get_threshold()[0] + 10)]
    assert many
    assert left() is None


def test_what_the_start_left_behind_is_collected_first() -> None:
    left = weakref.ref(_Circle())
    settle()
    assert left() is None
