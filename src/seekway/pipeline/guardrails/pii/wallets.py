"""Addresses of cryptocurrencies: Base58Check (Bitcoin's, TRON's), Bech32 (BIP 173) and Bech32m (BIP 350), Ethereum's."""

from __future__ import annotations

import hashlib
from typing import Final

_BASE58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BASE58_VALUE: Final = {letter: value for value, letter in enumerate(_BASE58)}
_BECH32: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BECH32_VALUE: Final = {letter: value for value, letter in enumerate(_BECH32)}
_GENERATOR: Final = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_BECH32_SUMS: Final = (1, 0x2BC830A3)
_PREFIX: Final = "bc"
_HEX: Final = frozenset("0123456789abcdefABCDEF")
LEAST: Final = 26
MOST: Final = 74


def wallet(text: str) -> str | None:
    """The rule that ``text``, letters and digits alone, is an address by; its check digits are looked at where there are any.

    Ethereum's may carry a check in their capitals (ERC-55), by a hash that Python lacks; 40 hexadecimal digits after ``0x`` are an address of that kind and nothing else that is in use.
    """
    size = len(text)
    if size == 42 and text.startswith("0x") and _HEX.issuperset(text[2:]) and len(set(text[2:].lower())) > 4:
        return "ethereum"
    if LEAST <= size <= 35 and text[0] in "13T" and base58check(text):
        return "tron" if text[0] == "T" else "bitcoin"
    lower = text.lower()
    if 14 <= size <= MOST and lower.startswith("bc1") and text in (lower, text.upper()) and bech32(lower):
        return "bitcoin"
    return None


def base58check(text: str) -> bool:
    """25 bytes, of which the last four begin the double SHA-256 of the others."""
    number = 0
    for letter in text:
        value = _BASE58_VALUE.get(letter)
        if value is None:
            return False
        number = number * 58 + value
    if number.bit_length() > 200:
        return False
    raw = number.to_bytes(25, "big")
    return hashlib.sha256(hashlib.sha256(raw[:21]).digest()).digest()[:4] == raw[21:]


def bech32(text: str) -> bool:
    """The polynomial checksum over the prefix ``bc`` and the data; ``text`` is in lower case."""
    data = [_BECH32_VALUE.get(letter, -1) for letter in text[len(_PREFIX) + 1 :]]
    if -1 in data:
        return False
    prefix = [ord(letter) >> 5 for letter in _PREFIX] + [0] + [ord(letter) & 31 for letter in _PREFIX]
    check = 1
    for value in (*prefix, *data):
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for place, factor in enumerate(_GENERATOR):
            if top >> place & 1:
                check ^= factor
    return check in _BECH32_SUMS
