"""Numbers that are made of digits, in one run or in groups."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from seekway.pipeline.guardrails.literals import Literals
from seekway.pipeline.guardrails.pii import checksums
from seekway.pipeline.guardrails.pii.window import MOST_BETWEEN, SEPARATORS, Found, Piece, Window, joined

_SEPARATORS: Final = frozenset(SEPARATORS)
_MOST_GROUPS: Final = 7
LEAST: Final = 5
_LEAST_GROUPED: Final = 7
_REGIONS: Final = frozenset(
    [
        "11",
        "12",
        "13",
        "14",
        "15",
        "21",
        "22",
        "23",
        "31",
        "32",
        "33",
        "34",
        "35",
        "36",
        "37",
        "41",
        "42",
        "43",
        "44",
        "45",
        "46",
        "50",
        "51",
        "52",
        "53",
        "54",
        "61",
        "62",
        "63",
        "64",
        "65",
        "71",
        "81",
        "82",
        "83",
    ]
)
"""The first two digits of a Chinese administrative division (GB/T 2260); 83 is Taiwan residents' permits'."""

# What a bare number is more often than what it looks like.
_OTHER: Final = (
    *("订单", "单号", "编号", "流水", "序列号", "货号", "批次", "工单", "条码", "版本", "运单", "快递", "金额", "价格"),
    *(
        "order",
        "invoice",
        "tracking",
        "serial",
        "sku",
        "isbn",
        "version",
        "ticket",
        "ref",
        "batch",
        "part no",
        "commit",
    ),
)
_ID_WORDS: Final = ("身份证", "证件", "id card", "id number", "identity")
_PHONE_WORDS: Final = ("电话", "手机", "座机", "联系", "传真", "拨打", "tel", "phone", "call", "mobile", "fax", "ring")
_SSN_WORDS: Final = ("ssn", "social security", "社会安全", "社保")
_QQ_WORDS: Final = ("qq", "扣扣", "企鹅号")
_TAX_WORDS: Final = ("steuer", "idnr", "tax id", "tin")
_INSEE_WORDS: Final = ("insee", "sécurité sociale", "securite sociale", "nir", "numéro de sécu")
_PERMIT_WORDS: Final = ("台胞证", "通行证", "回乡证", "居住证")
_BIRTH_WORDS: Final = ("生日", "出生", "birthday", "born", "dob", "birth")
_PASSPORT_WORDS: Final = ("护照", "passport")
# How the eleven digits of a mobile number are written.
_MOBILE_SIZES: Final = (11, 13)
_MOBILE_GROUPS: Final = frozenset({(11,), (3, 4, 4), (4, 4, 3), (3, 3, 5), (3, 8), (7, 4)})
_LONG_REACH: Final = 48
_SHORT_REACH: Final = 18
_QQ_REACH: Final = 10
_BANK_WORDS: Final = ("银行卡", "卡号", "账号", "帐号", "card", "account")
_TELEPHONES: Final = ("电话", "手机", "座机", "tel", "phone", "mobile")
_SSN_GROUPS: Final = (3, 2, 4)
# With none of these before it, a number is none of those that only a word tells of.
_BESIDE: Final = Literals(
    [*_SSN_WORDS, *_TAX_WORDS, *_PERMIT_WORDS, *_PASSPORT_WORDS, *_QQ_WORDS, *_BIRTH_WORDS, *_TELEPHONES]
)


def numbers(window: Window, pieces: list[Piece]) -> Iterator[Found]:
    """The longest reading of the digits from each group on."""
    folded, taken = window.folded, -1
    last = len(pieces) - 1
    for first, piece in enumerate(pieces):
        is_short = piece.end - piece.begin < LEAST
        if is_short and (first == last or pieces[first + 1].begin - piece.end > MOST_BETWEEN):
            continue  # most numbers are few digits by themselves
        if piece.begin < taken or not window.begins_free(piece.begin):
            continue
        best: Found | None = _ending_in_letter(window, pieces, first)
        for begin, end, digits, lengths in joined(pieces, first, folded, _SEPARATORS, _MOST_GROUPS):
            if len(digits) < (LEAST if len(lengths) == 1 else _LEAST_GROUPED):
                continue
            found = _reading(window, begin, end, digits, lengths)
            if found is not None and (best is None or found.end > best.end):
                best = found
        if best is not None:
            taken = best.end
            yield best


def _ending_in_letter(window: Window, pieces: list[Piece], first: int) -> Found | None:
    """A Chinese identity number that ends in X, in one piece or in groups of 6, 8 and 4."""
    for last in range(first, min(first + 4, len(pieces))):
        if pieces[last].text[-1] not in "Xx":
            continue
        group = pieces[first : last + 1]
        text = "".join(piece.text for piece in group).upper()
        gaps = [window.folded[a.end : b.begin] for a, b in pairwise(group)]
        near = all(len(gap) <= MOST_BETWEEN and _SEPARATORS.issuperset(gap) for gap in gaps)
        begin, end = group[0].begin, group[-1].end
        if near and len(text) == 18 and text[:17].isdigit() and _chinese_id(text) and window.stands_free(begin, end):
            return Found("id_card", "high", begin, end, "cn_id_18")
    return None


def _reading(window: Window, begin: int, end: int, digits: str, lengths: tuple[int, ...]) -> Found | None:
    begin, digits, code = _with_country(window, begin, end, digits)
    if not window.stands_free(begin, end):
        return None
    size = len(digits)
    if code is not None or size in _MOBILE_SIZES or (10 <= size <= 13 and len(lengths) > 1):
        phone = _phone(window, begin, end, digits, lengths, code)
        if phone is not None:
            return phone
    if size == 18 and _chinese_id(digits):
        return Found("id_card", "high", begin, end, "cn_id_18")
    if size == 15:
        if digits[:2] in _REGIONS and checksums.calendar_date("19" + digits[6:12]) and window.cue(begin, _ID_WORDS):
            return Found("id_card", "high", begin, end, "cn_id_15", 0.8)
        if (
            digits[0] in "12"
            and checksums.french_insee(digits)
            and (len(lengths) >= 5 or window.cue(begin, _INSEE_WORDS, _LONG_REACH))
        ):
            return Found("national_id", "high", begin, end, "fr_insee")
    if 13 <= size <= 19 and _card(digits) and (len(lengths) == 1 or max(lengths) <= 7):
        known = window.cue(begin, _BANK_WORDS)
        if known or not window.cue(begin, _OTHER):
            return Found("bank_card", "high", begin, end, "card_luhn", 1.0 if known else 0.8)
    if 16 <= size <= 19 and window.cue(begin, ("银行卡", "银行账号", "银行帐号")):
        return Found("bank_card", "high", begin, end, "cn_bank_account", 0.7)
    return _by_cue(window, begin, end, digits, lengths)


def has_word_beside(window: Window, begin: int) -> bool:
    """Whether any of the words stands before ``begin`` of which one alone tells what a number is."""
    return bool(_BESIDE.find(window.before(begin)))


def _by_cue(window: Window, begin: int, end: int, digits: str, lengths: tuple[int, ...]) -> Found | None:
    size = len(digits)
    if lengths != _SSN_GROUPS and not has_word_beside(window, begin):
        return None
    if size == 9 and checksums.us_ssn(digits):
        dashed = lengths == _SSN_GROUPS and window.folded[begin + 3] == window.folded[begin + 6] == 0x2D
        if dashed or window.cue(begin, _SSN_WORDS):
            return Found("ssn", "high", begin, end, "us_ssn", 0.9)
    if size == 11 and checksums.german_tax_id(digits) and window.cue(begin, _TAX_WORDS, _LONG_REACH):
        return Found("national_id", "high", begin, end, "de_tax_id")
    if len(lengths) == 1 and size in (8, 10) and window.cue(begin, _PERMIT_WORDS):
        return Found("permit", "high", begin, end, "cn_permit", 0.8)
    if len(lengths) == 1 and size == 9 and window.cue(begin, _PASSPORT_WORDS):
        return Found("passport", "high", begin, end, "passport", 0.9)
    if len(lengths) == 1 and 5 <= size <= 11 and window.cue(begin, _QQ_WORDS, _QQ_REACH):
        return Found("account", "low", begin, end, "qq", 0.9)
    if (
        size == 8
        and lengths in ((8,), (4, 2, 2))
        and checksums.calendar_date(digits)
        and window.cue(begin, _BIRTH_WORDS)
    ):
        return Found("birth_date", "medium", begin, end, "birth_date", 0.9)
    if 7 <= size <= 12 and window.cue(begin, _TELEPHONES, _SHORT_REACH):
        return Found("phone", "medium", begin, end, "phone_cue", 0.8)
    return None


def _with_country(window: Window, begin: int, end: int, digits: str) -> tuple[int, str, str | None]:
    """Where a plus or zeros say that a country's code comes first, it is part of the number."""
    folded = window.folded
    if begin and folded[begin - 1] == 0x2B:
        return begin - 1, digits, "+"
    if begin and folded[begin - 1] == 0x28 and (begin < 2 or folded[begin - 2] not in b"0123456789"):
        if begin > 1 and folded[begin - 2] == 0x2B:
            return begin - 2, digits, "+"
        return begin - 1, digits, None
    if not digits.startswith("00") or not 11 <= len(digits) <= 17:
        return begin, digits, None
    alone = begin < 2 or folded[begin - 1] != 0x20 or folded[begin - 2] not in b"0123456789"
    grouped = end > begin + 2 and folded[begin + 2] not in b"0123456789"
    if grouped and not window.cue(begin, _PHONE_WORDS):
        return begin, digits, None
    if alone:
        return begin, digits[2:], "00"
    return begin, digits, None


def _phone(
    window: Window, begin: int, end: int, digits: str, lengths: tuple[int, ...], code: str | None
) -> Found | None:
    abroad = code is not None and not digits.startswith("86")
    national = digits[2:] if code is not None and not abroad else digits
    mobile = _national(lengths, 11) in _MOBILE_GROUPS
    if mobile and not abroad and len(national) == 11 and national[0] == "1" and national[1] in "3456789":
        grouped = len(lengths) > 1 or code is not None
        if code is not None or grouped or not window.cue(begin, _OTHER):
            return Found("phone", "medium", begin, end, "cn_mobile", 1.0 if code else 0.9)
    if mobile and len(digits) == 13 and digits.startswith("86") and digits[2] == "1" and digits[3] in "3456789":
        return Found("phone", "medium", begin, end, "cn_mobile", 0.9)
    if code is not None and 8 <= len(digits) <= 15 and digits[0] != "0":
        return Found("phone", "medium", begin, end, "e164")
    landline = 10 <= len(digits) <= 12 and len(lengths) == 2 and lengths[0] in (3, 4) and lengths[1] in (7, 8)
    if landline and digits[0] == "0" and digits[1] != "0":
        return Found("phone", "medium", begin, end, "cn_landline", 0.9)
    plain = lengths == (3, 3, 4) and digits[0] in "23456789" and digits[3] in "23456789"
    if plain and not window.cue(begin, _OTHER):
        return Found("phone", "medium", begin, end, "us_phone", 0.8)
    if len(lengths) >= 3 and digits[0] == "0" and window.cue(begin, _PHONE_WORDS):
        return Found("phone", "medium", begin, end, "national_phone", 0.8)
    return None


def _national(lengths: tuple[int, ...], size: int) -> tuple[int, ...]:
    """The groups of the last ``size`` digits."""
    over = sum(lengths) - size
    groups: list[int] = []
    for length in lengths:
        if over >= length:
            over -= length
        else:
            groups.append(length - over)
            over = 0
    return tuple(groups)


def _chinese_id(number: str) -> bool:
    return number[:2] in _REGIONS and checksums.calendar_date(number[6:14]) and checksums.chinese_id(number)


def _card(digits: str) -> bool:
    """Issuers' ranges and lengths (ISO/IEC 7812: Visa, Mastercard, American Express, Diners, Discover, JCB, UnionPay), and the check digit."""
    size, two, four = len(digits), int(digits[:2]), int(digits[:4])
    known = (
        (digits[0] == "4" and size in (13, 16, 19))
        or (size == 16 and (51 <= two <= 55 or 2221 <= four <= 2720))
        or (size == 15 and two in (34, 37))
        or (size == 14 and two in (30, 36, 38, 39))
        or (16 <= size <= 19 and (four == 6011 or two in (62, 64, 65)))
        or (16 <= size <= 19 and 3528 <= four <= 3589)
        or (16 <= size <= 19 and two in (60, 68, 69, 94, 95, 96, 98))
    )
    return known and checksums.luhn(digits) and len(set(digits)) > 1
