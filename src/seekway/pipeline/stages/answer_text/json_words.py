"""What stands in broken JSON without quotes: numbers, literals of JSON, JavaScript and Python, and plain text."""

from __future__ import annotations

from typing import Final

import msgspec

_LITERALS: Final = {
    "true": "true",
    "false": "false",
    "null": "null",
    "none": "null",
    "nan": "null",
    "undefined": "null",
}
_INFINITE: Final = frozenset({"infinity", "-infinity", "+infinity", "-nan", "+nan"})
_DIGITS: Final = frozenset("0123456789")


def is_word(text: str) -> bool:
    """Whether ``text`` is a value as it stands, so that a space after it ends it."""
    return text.lower() in _LITERALS or text.lower() in _INFINITE or _number(text) is not None


def bare_key(text: str) -> str:
    return msgspec.json.encode(_sound(text)).decode()


def bare_value(text: str, *, cut_off: bool) -> str:
    """``text`` as JSON; ``cut_off`` says that more of it may have been meant to come."""
    lower = text.lower()
    if lower in _LITERALS:
        return _LITERALS[lower]
    if lower in _INFINITE:
        return "null"
    number = _number(text)
    if number is not None:
        return number
    if cut_off:
        for literal in ("true", "false", "null"):
            if literal.startswith(text):
                return literal
    return bare_key(text)


def _sound(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def _number(text: str) -> str | None:
    """``text`` as a JSON number, mended where that is plain; None where it is no number."""
    sign = "-" if text.startswith("-") else ""
    body = text.removeprefix("-") if sign else text.removeprefix("+")
    mantissa, mark, exponent = body.partition("e") if "e" in body else body.partition("E")
    whole, point, fraction = mantissa.partition(".")
    exponent_sign = exponent[:1] if exponent[:1] in ("+", "-") else ""
    exponent_digits = exponent[len(exponent_sign) :]
    if not (whole or fraction) or not _DIGITS.issuperset(whole + fraction + exponent_digits):
        return None
    whole = whole.lstrip("0") or "0"
    point = point and f".{fraction or '0'}"
    mark = mark and f"{mark}{exponent_sign}{exponent_digits or '0'}"
    return f"{sign}{whole}{point}{mark}"
