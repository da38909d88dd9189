"""Texts with personal data of made-up people, right by their check digits, and with numbers that only look like them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import msgspec

_REGIONS = ("110101", "310115", "440305", "510104", "330106")
_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_USCC_SIGNS = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_USCC_WEIGHTS = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)
_PLATES = "京沪粤川浙苏"
_SENTENCES = {
    "en": ("My number is {} if you need it.", "Please write {} into the form, thanks.", "{} was in the old record."),
    "zh": ("我的号码是{}请记一下", "客户填写的是{},麻烦核对。", "资料里写着{}对吗"),
}


class Personal(msgspec.Struct, frozen=True):
    text: str
    kind: str
    language: str


def personal_texts(each: int) -> Iterator[Personal]:
    """``each`` of a kind and language; a phone number of the one country stands in sentences of the other language too."""
    for kind, make in _KINDS.items():
        for language, sentences in _SENTENCES.items():
            chance = random.Random(f"{kind} {language}")
            for number in range(each):
                yield Personal(sentences[number % len(sentences)].format(make(chance)), kind, language)


def harmless_numbers(each: int) -> Iterator[Personal]:
    """Cards and identity cards with a wrong check digit, order numbers, versions and dates."""
    chance = random.Random("harmless")
    for language, sentences in _SENTENCES.items():
        for number in range(each):
            kind, made = (
                ("card, wrong digit", _wrong_last(_card(chance))),
                ("ID card, wrong digit", _wrong_last(_id_card(chance))),
                ("order", f"ORD-{chance.randrange(10**7):07}"),
                ("version", f"v{chance.randrange(9)}.{chance.randrange(20)}.{chance.randrange(20)}"),
                ("date", f"2026-{chance.randrange(1, 13):02}-{chance.randrange(1, 29):02}"),
            )[number % 5]
            yield Personal(sentences[number % len(sentences)].format(made), kind, language)


def _digits(chance: random.Random, count: int) -> str:
    return "".join(chance.choice("0123456789") for _ in range(count))


def _luhn(body: str) -> str:
    """ISO/IEC 7812-1, annex B."""
    total = 0
    for place, digit in enumerate(map(int, reversed(body))):
        doubled = digit * 2 if place % 2 == 0 else digit
        total += doubled - 9 if doubled > 9 else doubled
    return body + str(-total % 10)


def _card(chance: random.Random) -> str:
    return _luhn("4" + _digits(chance, 14))


def _bank_card(chance: random.Random) -> str:
    return _luhn(chance.choice(("622202", "621700", "623052")) + _digits(chance, 12))


def _id_card(chance: random.Random) -> str:
    """GB 11643-1999: the check digit by ISO 7064, MOD 11-2."""
    born = f"{chance.randrange(1950, 2005)}{chance.randrange(1, 13):02}{chance.randrange(1, 29):02}"
    body = chance.choice(_REGIONS) + born + _digits(chance, 3)
    total = sum(int(digit) * weight for digit, weight in zip(body, _ID_WEIGHTS, strict=True))
    return body + "10X98765432"[total % 11]


def _credit_code(chance: random.Random) -> str:
    """GB 32100-2015: the check character by its weights, MOD 31."""
    body = "91" + chance.choice(_REGIONS) + "MA" + "".join(chance.choice(_USCC_SIGNS) for _ in range(7))
    total = sum(_USCC_SIGNS.index(sign) * weight for sign, weight in zip(body, _USCC_WEIGHTS, strict=True))
    return body + _USCC_SIGNS[-total % 31]


def _iban(chance: random.Random) -> str:
    """ISO 13616: the two check digits by MOD 97-10."""
    account = _digits(chance, 18)
    return f"DE{98 - int(account + '131400') % 97:02}{account}"


def _wrong_last(number: str) -> str:
    return number[:-1] + ("5" if number[-1] != "5" else "6")


_KINDS: dict[str, Callable[[random.Random], str]] = {
    "e-mail": lambda c: (
        f"{c.choice(('anna', 'li.wei', 'j_smith'))}{c.randrange(100)}@{c.choice(('mail.example.com', 'qq.com'))}"
    ),
    "credit card": _card,
    "IBAN": _iban,
    "US SSN": lambda c: f"{c.randrange(100, 600)}-{c.randrange(10, 99)}-{c.randrange(1000, 9999)}",
    "US phone": lambda c: f"({c.randrange(201, 989)}) 555-{c.randrange(1000, 9999)}",
    "IP address": lambda c: f"{c.randrange(11, 200)}.{c.randrange(256)}.{c.randrange(256)}.{c.randrange(1, 255)}",
    "Chinese ID card": _id_card,
    "Chinese mobile": lambda c: f"1{c.choice(('38', '59', '77', '86'))}{_digits(c, 8)}",
    "Chinese bank card": _bank_card,
    "unified social credit code": _credit_code,
    "Chinese plate": lambda c: f"{c.choice(_PLATES)}{c.choice('ABCDE')}{_digits(c, 5)}",
}
