"""Numbers that hold letters, dots or colons: codes of companies and countries, plates, accounts, addresses of machines."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from typing import Final

from seekway.pipeline.guardrails.pii import checksums
from seekway.pipeline.guardrails.pii.wallets import LEAST, wallet
from seekway.pipeline.guardrails.pii.window import Found, Piece, Window
from seekway.pipeline.guardrails.rules.linear_pattern import LinearPattern

_CREDIT: Final = LinearPattern("^[1-9AGNY][1-59][0-9]{6}[0-9A-HJ-NPQRTUWXY]{10}$")
_NIE: Final = LinearPattern("^[XYZ0-9][0-9]{7}[A-HJ-NP-TV-Z]$")
_VAT: Final = LinearPattern(
    "^(ATU[0-9]{8}|BE[01][0-9]{9}|DE[0-9]{9}|DK[0-9]{8}|ES[A-Z0-9][0-9]{7}[A-Z0-9]|FI[0-9]{8}|FR[A-Z0-9]{2}[0-9]{9}|GB[0-9]{9}|IT[0-9]{11}|NL[0-9]{9}B[0-9]{2}|PL[0-9]{10}|SE[0-9]{12})$"
)
_NI: Final = LinearPattern("^[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-D]")
_NO_NI: Final = (b"BG", b"GB", b"NK", b"KN", b"TN", b"NT", b"ZZ")
_MAC: Final = LinearPattern("^(?i:(?:[0-9A-F]{2}:){5}[0-9A-F]{2}|(?:[0-9A-F]{2}-){5}[0-9A-F]{2})$")
_MAC_CHARS: Final = 17
_HEX: Final = frozenset(b"0123456789ABCDEFabcdef")
_LONGEST_ADDRESS: Final = 46
"""Characters of an IPv6 address that ends in an IPv4 one, and one more."""
_IBAN_LENGTHS: Final = {
    "AD": 24,
    "AE": 23,
    "AT": 20,
    "BE": 16,
    "BG": 22,
    "CH": 21,
    "CY": 28,
    "CZ": 24,
    "DE": 22,
    "DK": 18,
    "EE": 20,
    "ES": 24,
    "FI": 18,
    "FR": 27,
    "GB": 22,
    "GI": 23,
    "GR": 27,
    "HR": 21,
    "HU": 28,
    "IE": 22,
    "IL": 23,
    "IS": 26,
    "IT": 27,
    "LI": 21,
    "LT": 20,
    "LU": 20,
    "LV": 21,
    "MC": 27,
    "MT": 31,
    "NL": 18,
    "NO": 15,
    "PL": 28,
    "PT": 25,
    "RO": 24,
    "SA": 24,
    "SE": 24,
    "SI": 19,
    "SK": 24,
    "SM": 27,
    "TR": 26,
}
"""ISO 13616's registry: how long a country's numbers are."""

PROVINCES: Final = frozenset("京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼")
_PLATE_TAILS: Final = "挂学警港澳"
_PASSPORT_WORDS: Final = ("护照", "passport", "reisepass", "passeport")
_PERMIT_WORDS: Final = ("通行证", "回乡证", "居住证", "permit")
_LICENCE_WORDS: Final = ("驾驶证", "驾照", "driver", "driving licen", "licence no", "license no")
_TAX_WORDS: Final = ("vat", "ust", "tva", "iva", "btw", "税号", "增值税", "tax")
WECHAT_WORDS: Final = ("微信", "WeChat", "wechat", "Wechat")
_LONGEST_CUE: Final = 12
_ACCOUNT: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")
_BETWEEN: Final = frozenset("号：: 是IiDd")
_VERSION_WORDS: Final = (
    *("version", "版本", "release", "固件", "build", " v", "chapter", "section", "figure", "table", "clause", "§"),
    *("章", "节", "条款", "标准"),
)
_QQ: Final = LinearPattern("^QQ[1-9][0-9]{4,10}$")
_LEAST_CODE: Final = 6
_NOBODYS: Final = ("0.0.0.0", "127.", "255.255.", "224.")


def codes(window: Window, pieces: Sequence[Piece]) -> Iterator[Found]:
    folded = window.folded
    may_be_plate = not window.text.isascii()
    for place, piece in enumerate(pieces):
        found = None
        size = piece.end - piece.begin
        if size >= LEAST or (size >= _LEAST_CODE and not piece.text.isdigit()):
            found = _of_piece(window, piece)
        if found is None and may_be_plate:
            found = _plate(window, piece)
        if found is not None:
            yield found
        if not piece.text[0].isdigit():
            yield from _iban(window, piece)
            yield from _insurance(window, piece)
            continue
        if folded[piece.end : piece.end + 1] == b".":
            yield from _ipv4(window, pieces, place)
        if len(piece.text) == 2 or not piece.text.isdigit():
            yield from _insurance(window, piece)
    if b":" in folded or (b"-" in folded and folded.count(b"-") >= 5):
        yield from _hexadecimal(window)


def accounts(window: Window) -> Iterator[Found]:
    """WeChat's: a letter, then 5 to 19 letters, digits, ``_`` or ``-``, after a word that says so."""
    text, folded = window.text, window.folded
    low = max(0, window.start - _LONGEST_CUE)
    for word in WECHAT_WORDS:
        at = text.find(word, low)
        while at >= 0:
            begin = at + len(word)
            most = begin + 6
            while begin < min(len(text), most) and text[begin] in _BETWEEN:
                begin += 1
            end = begin
            while end < len(text) and end - begin <= 20 and folded[end] in _ACCOUNT:
                end += 1
            if 6 <= end - begin <= 20 and folded[begin : begin + 1].isalpha():
                yield Found("account", "low", begin, end, "wechat", 0.8)
            at = text.find(word, at + 1)


def _of_piece(window: Window, piece: Piece) -> Found | None:
    text, begin, end = piece.text.upper(), piece.begin, piece.end
    if len(text) >= LEAST and window.stands_free(begin, end) and (kind := wallet(piece.text)):
        return Found("wallet", "medium", begin, end, kind)
    if not _LEAST_CODE <= len(text) <= 24 or text.isdigit() or not window.stands_free(begin, end):
        return None
    raw = text.encode()
    if len(text) == 18 and _CREDIT.first(raw, 0) == 0 and not text[:17].isdigit() and checksums.credit_code(text):
        return Found("credit_code", "medium", begin, end, "cn_credit_code")
    if len(text) == 9 and _NIE.first(raw, 0) == 0 and checksums.spanish_dni(text):
        return Found("national_id", "high", begin, end, "es_dni")
    if _VAT.first(raw, 0) == 0 and window.cue(begin, _TAX_WORDS):
        return Found("vat", "low", begin, end, "eu_vat", 0.9)
    if _QQ.first(raw, 0) == 0:
        return Found("account", "low", begin + 2, end, "qq", 0.9)
    lettered = text[0].isalpha() and text[1:].isalnum()
    if 7 <= len(text) <= 9 and window.cue(begin, _PASSPORT_WORDS):
        return Found("passport", "high", begin, end, "passport", 0.9)
    if lettered and 9 <= len(text) <= 11 and text[1:].isdigit() and window.cue(begin, _PERMIT_WORDS):
        return Found("permit", "high", begin, end, "hk_macao_permit", 0.9)
    if 7 <= len(text) <= 16 and window.cue(begin, _LICENCE_WORDS):
        return Found("licence", "high", begin, end, "driving_licence", 0.8)
    return None


def _plate(window: Window, piece: Piece) -> Found | None:
    """GA 36-2018: a province's character, a letter, five letters and digits, six for new energy; ``京A·12345`` and ``京A12345``."""
    folded, text = window.folded, piece.text.upper()
    begin, end = piece.begin, piece.end
    if len(text) in (6, 7):
        head, body = text[0], text[1:]
    else:
        while begin and begin > piece.begin - 2 and folded[begin - 1] in b" .-\x01\x02":
            begin -= 1
        begin -= 1
        if begin < 1:
            return None
        head, body = chr(folded[begin]), text
    if begin < 1 or not "A" <= head <= "Z" or window.text[begin - 1] not in PROVINCES or "I" in body or "O" in body:
        return None
    if end < len(window.text) and window.text[end] in _PLATE_TAILS and len(body) == 4:
        return Found("plate", "medium", begin - 1, end + 1, "cn_plate")
    if len(body) == 5 and any(letter.isdigit() for letter in body):
        return Found("plate", "medium", begin - 1, end, "cn_plate")
    if len(body) == 6 and (body[0] in "ABCDEFGHJK" or body[-1] in "ABCDEFGHJK"):
        return Found("plate", "medium", begin - 1, end, "cn_plate_new_energy")
    return None


def _iban(window: Window, piece: Piece) -> Iterator[Found]:
    length = _IBAN_LENGTHS.get(piece.text[:2].upper())
    if length is None or not piece.text[2:4].isdigit():
        return
    folded, end, letters = window.folded, piece.begin, bytearray()
    while end < len(folded) and len(letters) < length:
        if folded[end] in b" -\x01":
            if folded[end - 1] in b" -\x01":
                return
        elif 0x30 <= folded[end] <= 0x39 or 0x41 <= (folded[end] & 0xDF) <= 0x5A:
            letters.append(folded[end])
        else:
            return
        end += 1
    if len(letters) == length and window.stands_free(piece.begin, end) and checksums.iban(letters.decode().upper()):
        yield Found("iban", "high", piece.begin, end, "iban")


def _insurance(window: Window, piece: Piece) -> Iterator[Found]:
    """The United Kingdom's: two letters, six digits, a letter, in pairs or in one."""
    begin = piece.begin
    if piece.text.isdigit():
        if len(piece.text) != 2 or begin < 3 or window.folded[begin - 1] != 0x20:
            return
        begin -= 3
    stretch = window.folded[begin : begin + 13]
    for _, end in _NI.all(stretch, 0):
        if stretch[:2] not in _NO_NI and window.stands_free(begin, begin + end):
            yield Found("national_id", "high", begin, begin + end, "uk_ni", 0.9)


def _ipv4(window: Window, pieces: Sequence[Piece], first: int) -> Iterator[Found]:
    group = pieces[first : first + 4]
    begin, end = group[0].begin, group[-1].end
    text = window.folded[begin:end].decode()
    parts = text.split(".")
    if len(group) != 4 or len(text) > 15 or len(parts) != 4 or not all(part.isdigit() for part in parts):
        return
    if any(int(part) > 255 or (len(part) > 1 and part[0] == "0") for part in parts) or text.startswith(_NOBODYS):
        return
    port = end + 1 < len(window.folded) and window.folded[end] == 0x3A
    free = window.stands_free(begin, end) or (port and window.begins_free(begin))
    # Four single digits are a chapter's number or a public name server.
    if free and len(text) > 7 and not window.cue(begin, _VERSION_WORDS):
        yield Found("ip", "low", begin, end, "ipv4", 0.9)


def _hexadecimal(window: Window) -> Iterator[Found]:
    """Runs of hexadecimal digits and colons or dashes, whole: addresses of network cards and of IPv6."""
    folded = window.folded
    for mark in (0x3A, 0x2D):
        at, allowed = folded.find(mark), _HEX | {mark}
        while at >= 0:
            begin, end = at, at + 1
            while begin and at - begin < _LONGEST_ADDRESS and folded[begin - 1] in allowed:
                begin -= 1
            while end < len(folded) and end - begin <= _LONGEST_ADDRESS and folded[end] in allowed:
                end += 1
            if end - begin < _LONGEST_ADDRESS and at - begin < _LONGEST_ADDRESS:
                yield from _address(window, begin, end)
            at = folded.find(mark, max(end, at + 1))


def _address(window: Window, begin: int, end: int) -> Iterator[Found]:
    text = window.folded[begin:end].decode()
    if (begin and window.folded[begin - 1 : begin].isalnum()) or window.folded[end : end + 1].isalnum():
        return
    if len(text) == _MAC_CHARS and _MAC.first(text.encode(), 0) is not None:
        yield Found("mac", "low", begin, end, "mac")
        return
    # A colon at the end is the sentence's.
    text = text[:-1] if text.endswith(":") and not text.endswith("::") else text
    if text.count(":") < 2 or len(text) < 7:
        return
    try:
        address = ipaddress.IPv6Address(text)
    except ValueError:
        return
    if not address.is_loopback and not address.is_unspecified:
        yield Found("ip", "low", begin, begin + len(text), "ipv6", 0.9)
