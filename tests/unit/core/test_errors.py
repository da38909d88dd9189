"""Every error has a code of its own and a status a client can act on."""

from __future__ import annotations

import inspect

import pytest

from seekway.core import errors
from seekway.core.errors import ERRORS, InternalError, SeekwayError, error_from_code

CONCRETE = sorted(ERRORS.values(), key=lambda error: error.__name__)


def test_codes_are_unique() -> None:
    classes = [
        c
        for _, c in inspect.getmembers(errors, inspect.isclass)
        if issubclass(c, SeekwayError) and not c.__subclasses__()
    ]
    assert len({c.code for c in classes}) == len(classes)


@pytest.mark.parametrize("error", CONCRETE, ids=lambda e: e.__name__)
def test_every_error_stands_in_the_tree_of_the_docstring(error: type[SeekwayError]) -> None:
    line = next(line for line in (errors.__doc__ or "").splitlines() if f"── {error.__name__} " in line + " ")
    assert error.code in line
    if error.type != "operator_error":
        assert str(error.status) in line


@pytest.mark.parametrize("error", CONCRETE, ids=lambda e: e.__name__)
def test_every_error_survives_its_code(error: type[SeekwayError]) -> None:
    again = error_from_code(error.code, "say it", param="model")
    assert type(again) is error
    assert (again.message, again.param) == ("say it", "model")


def test_an_unknown_code_is_an_internal_error() -> None:
    assert type(error_from_code("no_such_code", "?")) is InternalError
