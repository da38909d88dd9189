"""Check digits and characters. Each takes the number as plain ASCII letters and digits, without separators."""

from __future__ import annotations

from typing import Final

_ID_WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_ID_CHECKS: Final = "10X98765432"
_CREDIT_LETTERS: Final = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_CREDIT_WEIGHTS: Final = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)
_DNI_LETTERS: Final = "TRWAGMYFPDXBNJZSQVHLCKE"
_DAYS: Final = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def luhn(digits: str) -> bool:
    """ISO/IEC 7812-1, annex B."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = ord(digit) - 48
        if place % 2:
            value = value * 2 - 9 if value > 4 else value * 2
        total += value
    return total % 10 == 0


def chinese_id(number: str) -> bool:
    """The last of 18 characters: GB 11643-1999, ISO 7064 MOD 11-2."""
    total = sum((ord(digit) - 48) * weight for digit, weight in zip(number[:17], _ID_WEIGHTS, strict=True))
    return _ID_CHECKS[total % 11] == number[17]


def credit_code(code: str) -> bool:
    """The last of 18 characters of a unified social credit code: GB 32100-2015."""
    try:
        values = [_CREDIT_LETTERS.index(letter) for letter in code]
    except ValueError:
        return False
    total = sum(value * weight for value, weight in zip(values[:17], _CREDIT_WEIGHTS, strict=True))
    return (31 - total % 31) % 31 == values[17]


def iban(number: str) -> bool:
    """ISO 13616: the first four characters moved to the end, letters as 10 to 35, modulo 97 is 1."""
    moved = number[4:] + number[:4]
    return int("".join(str(int(letter, 36)) for letter in moved)) % 97 == 1


def spanish_dni(number: str) -> bool:
    """Eight digits, or X, Y, Z and seven, and a letter by modulo 23 (Real Decreto 1553/2005)."""
    digits = {"X": "0", "Y": "1", "Z": "2"}.get(number[0], number[0]) + number[1:8]
    return digits.isdigit() and _DNI_LETTERS[int(digits) % 23] == number[8]


def french_insee(number: str) -> bool:
    """Thirteen digits (Corsica's 2A and 2B read as 19 and 18) and 97 less their modulo 97."""
    body = number[:13].replace("2A", "19").replace("2B", "18")
    return body.isdigit() and number[13:].isdigit() and 97 - int(body) % 97 == int(number[13:])


def german_tax_id(number: str) -> bool:
    """Eleven digits, of the first ten one stands two or three times; ISO 7064 MOD 11,10."""
    body = number[:10]
    if number[0] == "0" or len(set(body)) not in (8, 9):
        return False
    product = 10
    for digit in body:
        total = (int(digit) + product) % 10 or 10
        product = total * 2 % 11
    return (11 - product) % 10 == int(number[10])


def us_ssn(digits: str) -> bool:
    """Numbers that the Social Security Administration gives out: no area 000, 666 or 9xx, no group 00, no serial 0000."""
    return digits[:3] not in ("000", "666") and digits[0] != "9" and digits[3:5] != "00" and digits[5:] != "0000"


def calendar_date(digits: str) -> bool:
    """``YYYYMMDD`` from 1900 to 2099; 29 February is let pass in every year."""
    year, month, day = int(digits[:4]), int(digits[4:6]), int(digits[6:8])
    return 1900 <= year <= 2099 and 1 <= month <= 12 and 1 <= day <= _DAYS[month - 1]
