"""Which documents a condition on metadata lets through."""

from __future__ import annotations

import pytest

from seekway.core.errors import InvalidParameter
from seekway.knowledge.index.conditions import OPERATORS, Condition, Conditions, MetadataValue, Operator

_DOCUMENT: dict[str, MetadataValue] = {
    "city": "Shanghai",
    "year": 2024,
    "price": "19.9",
    "day": "2026-03-01",
    "blank": "",
    "none": None,
}


@pytest.mark.parametrize(
    ("name", "operator", "value", "met"),
    [
        ("city", "contains", "HAI", True),
        ("city", "contains", "bei", False),
        ("city", "not contains", "bei", True),
        ("city", "start with", "shang", True),
        ("city", "start with", "hai", False),
        ("city", "end with", "hai", True),
        ("city", "is", "shanghai", True),
        ("city", "is", "shang", False),
        ("city", "is not", "shang", True),
        ("year", "is", "2024", True),
        ("city", "in", ("Beijing", "Shanghai"), True),
        ("city", "in", "Beijing, Shanghai", True),
        ("city", "not in", ("Beijing",), True),
        ("city", "not in", ("Shanghai",), False),
        ("year", "in", (2023, 2024), True),
        ("blank", "empty", None, True),
        ("none", "empty", None, True),
        ("absent", "empty", None, True),
        ("city", "empty", None, False),
        ("city", "not empty", None, True),
        ("year", "=", 2024, True),
        ("year", "=", "2024", True),
        ("year", "≠", 2024, False),
        ("year", "≠", 2025, True),
        ("year", ">", 2023, True),
        ("year", ">", 2024, False),
        ("year", "<", 2025, True),
        ("year", "≥", 2024, True),
        ("year", "≤", 2023, False),
        ("price", ">", 19, True),
        ("city", ">", 1, False),
        ("city", "≠", 1, True),
        ("day", "before", "2026-03-02T00:00:00Z", True),
        ("day", "before", "2026-03-01", False),
        ("day", "after", 0, True),
        ("city", "before", 0, False),
        ("absent", "is", "x", False),
        ("absent", "is not", "x", True),
        ("absent", "not in", ("x",), True),
        ("absent", ">", 0, False),
        ("absent", "before", 0, False),
    ],
)
def test_each_operator_means_what_it_says(name: str, operator: Operator, value: object, met: bool) -> None:
    condition = Condition(name, operator, value)  # pyright: ignore[reportArgumentType]
    assert condition.met(_DOCUMENT) is met


def test_conditions_join_with_and_or_or() -> None:
    true, false = Condition("year", "=", 2024), Condition("year", "=", 1)
    assert not Conditions((true, false)).met(_DOCUMENT)
    assert Conditions((true, false), "or").met(_DOCUMENT)
    assert not Conditions((false, false), "or").met(_DOCUMENT)
    assert Conditions().met(_DOCUMENT)


@pytest.mark.parametrize(
    ("operator", "value"),
    [("=", "much"), ("before", "soon"), ("is", None), ("is", ("a", "b")), (">", "nan"), ("after", "2026-13-01")],
)
def test_a_value_that_does_not_suit_is_refused(operator: Operator, value: object) -> None:
    with pytest.raises(InvalidParameter):
        Condition("year", operator, value)  # pyright: ignore[reportArgumentType]


def test_all_of_difys_operators_are_there() -> None:
    assert len(OPERATORS) == 18
