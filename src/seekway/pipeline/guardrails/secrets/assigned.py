"""Secrets that the word before them tells of: ``password = …``, 密码：…, ``Authorization: Bearer …``, ``scheme://user:…@host``."""

from __future__ import annotations

import base64
import binascii
import string
from typing import Final

from seekway.pipeline.guardrails.secrets import chance
from seekway.pipeline.guardrails.secrets.forms import ALNUM, WORD
from seekway.pipeline.guardrails.secrets.runs import Value, run_end

URL: Final = "://"
SCHEMES: Final = ("Bearer ", "bearer ", "Basic ", "basic ")
_PASSWORDS: Final = ("password", "passwd", "passphrase", "passcode", "pwd")
_TOKENS: Final = ("secret", "token")
_TWO_WORDS: Final = (("api", "key"), ("access", "key"), ("account", "key"), ("private", "key"), ("encryption", "key"))
_CHINESE_PASSWORDS: Final = ("密码", "密碼", "口令")
_CHINESE_TOKENS: Final = ("密钥", "密鑰", "秘钥", "令牌", "私钥")


def _spellings() -> dict[str, bool]:
    """Each word as it is written, and whether it speaks of a password rather than of a token."""
    written: dict[str, bool] = {}
    for words, password in ((_CHINESE_PASSWORDS, True), (_CHINESE_TOKENS, False)):
        written |= dict.fromkeys(words, password)
    for words, password in ((_PASSWORDS, True), (_TOKENS, False)):
        for word in words:
            written |= dict.fromkeys((word, word.upper(), word.title()), password)
    for first, last in _TWO_WORDS:
        for joint in ("", "_", "-", " "):
            word = first + joint + last
            both = first.title() + joint + last.title()
            mixed = (first + joint + last.title(), first.upper() + joint + last.title())
            written |= dict.fromkeys((word, word.upper(), word.title(), both, *mixed), False)
    return written


CUES: Final = _spellings()
CONTEXT: Final = 96
"""No more characters than this lie between the beginning of a word and that of the value."""

_SUFFIX: Final = WORD
_LONGEST_SUFFIX: Final = 24
_SUFFIXES: Final = frozenset(
    ("", "key", "value", "token", "string", "accesskey", "keybase", "secret", "confirm", "confirmation", "again", "new")
)
_CLOSERS: Final = " \t\"'`])*"
_SIGNS: Final = ":=：＝"
_OPENERS: Final = " \t*>:=：＝\"'`"
_QUOTES: Final = "\"'`"
_MOST_BETWEEN: Final = 6
_PROSE: Final = ("is ", "was ", "to ", "IS ")
_CHINESE_VERBS: Final = tuple(
    gap + verb
    for gap in (
        "",
        "改",
        "设",
        "设置",
        "重置",
        "修改",
        "更新",
        "已改",
        "已重置",
        "现在",
        "就",
        "应该",
        "默认",
        "初始化",
    )
    for verb in ("是", "为", "為", "成", "叫")
)
_ENDS: Final = frozenset(" \"'`,;<>()[]{}|\\")
_LETTERS: Final = "".join(char for char in string.printable if char not in _ENDS and not char.isspace())
_USER: Final = WORD + ".%+~!$&"
_IN_URL: Final = "".join(char for char in _LETTERS if char not in "/?") + ";[](){}|"
_BASE64: Final = ALNUM + "+/="
_LONGEST_USER: Final = 64
LONGEST_PASSWORD: Final = 128
LONGEST_TOKEN: Final = 512
_LEAST_PASSWORD: Final = 6
_LEAST_TOKEN: Final = 12
_MOST_DIGITS: Final = 20


def assigned(text: str, begin: int, end: int) -> Value | None:
    """The value that the word at these places is given, if any."""
    password = CUES[text[begin:end]]
    place, sign = _value_place(text, begin, end)
    if not sign:
        return None
    longest = LONGEST_PASSWORD if password else LONGEST_TOKEN
    quote = text[place - 1] if text[place - 1] in _QUOTES else ""
    close = _closing(text, place, quote, longest)
    quoted = close >= 0
    stop = close if quoted else run_end(text, place, _LETTERS, longest)
    open_ = not quoted and stop == len(text) and stop - place <= longest
    if not quoted and quote and len(text) - place <= longest and "\n" not in text[place:]:
        open_ = True
    value = text[place:stop] if quoted else text[place:stop].rstrip(".:")
    called = not quoted and text[stop : stop + 1] in ("(", "[")
    if called or len(value) > longest:
        secret = False
    elif password:
        secret = _is_password(value, sign, quoted=quoted)
    else:
        secret = _is_token(value, key="ey" in text[begin:end] or text[begin] in "密秘私", sign=sign)
    return Value(
        place,
        place + len(value),
        "password" if password else "assigned_token",
        "password" if password else "api_key",
        0.8 if sign == "=" else 0.7,
        secret=secret,
        open_=open_,
    )


def scheme_token(text: str, begin: int, end: int) -> Value | None:
    """What follows ``Bearer`` and ``Basic`` (RFC 6750, RFC 7617)."""
    stop = run_end(text, end, _BASE64 + "-._~", LONGEST_TOKEN)
    value = text[end:stop].rstrip(".")
    secret = (
        _is_login(value) if text[begin] in "Bb" and text[begin + 1] == "a" else _is_token(value, key=False, sign="=")
    )
    open_ = stop == len(text) and stop - end <= LONGEST_TOKEN
    return Value(end, end + len(value), "authorization", "api_key", 0.8, secret=secret, open_=open_)


def url_password(text: str, begin: int) -> Value | None:
    """``scheme://user:password@host`` (RFC 3986): the password alone; the last ``@`` before the path ends it."""
    colon = run_end(text, begin, _USER, _LONGEST_USER)
    if text[colon : colon + 1] != ":":
        return None
    first = colon + 1
    stop = run_end(text, first, _IN_URL, LONGEST_PASSWORD)
    at = text.rfind("@", first, stop)
    value = text[first:at] if at >= 0 else ""
    host = text[at + 1 : at + 2]
    template = value[:1] + value[-1:] in ("<>", "{}", "[]", "()") or value.startswith("$")
    secret = len(value) >= 3 and (host.isalnum() or host == "[") and not chance.is_blank(value + "@") and not template
    secret = secret and value.lower() not in ("pass", "password", "passwd", "pwd", "secret", "guest")
    open_ = stop == len(text) and stop - first <= LONGEST_PASSWORD
    return Value(first, first + len(value), "url_password", "password", 0.9, secret=secret, open_=open_)


def _value_place(text: str, begin: int, end: int) -> tuple[int, str]:
    """Where the value begins, and how it is given: ``=`` by a sign, ``is`` by a verb, `` `` by standing there; empty where it is not."""
    place = end
    if text[begin].isascii():
        place = run_end(text, end, _SUFFIX, _LONGEST_SUFFIX)
        suffix = text[end:place].replace("_", "").replace("-", "").lower()
        if suffix not in _SUFFIXES and not suffix.isdigit():
            return place, ""
    after = run_end(text, place, _CLOSERS, _MOST_BETWEEN)
    if (text[after : after + 1] and text[after] in _SIGNS) or text.startswith(("->", "=>", "→"), after):
        after += 2 if text[after] == "-" else 1
        return run_end(text, after, _OPENERS, _MOST_BETWEEN), "="
    if after > place and text.startswith(_PROSE, after):
        return run_end(text, text.index(" ", after), _OPENERS, _MOST_BETWEEN), "is"
    if not text[begin].isascii():
        for verb in _CHINESE_VERBS:
            if text.startswith(verb, after):
                return run_end(text, after + len(verb), _OPENERS, _MOST_BETWEEN), "is"
    flag = text[max(0, begin - 2) : begin] == "--"
    if after > place and (flag or not text[begin].isascii() or text[after - 1] in _QUOTES):
        return after, " "
    return place, ""


def _closing(text: str, place: int, quote: str, longest: int) -> int:
    if not quote:
        return -1
    close = text.find(quote, place, place + longest + 1)
    return close if close >= 0 and text.find("\n", place, close) < 0 else -1


def _is_password(value: str, sign: str, *, quoted: bool) -> bool:
    if not _LEAST_PASSWORD <= len(value) <= LONGEST_PASSWORD or not value.isascii():
        return False
    if value.isdigit():
        return sign != " " and len(value) <= _MOST_DIGITS
    if chance.is_blank(value) or chance.is_words(value) or "://" in value or " " in value:
        return False
    if chance.is_code(value) and not (quoted and "." not in value and "/" not in value):
        return False
    bare = value.rstrip("!?")
    kinds = chance.kinds(bare)
    if kinds < 2 or bare.replace("'", "").isalpha():
        return False
    if sign == "=":
        return True
    has_digit = any(char.isdigit() for char in bare)
    return has_digit and (sign == "is" or len(bare) >= 8 or kinds > 2)


def _is_token(value: str, *, key: bool, sign: str) -> bool:
    if len(value) < _LEAST_TOKEN or not value.isascii() or " " in value or "://" in value or sign == " ":
        return False
    if chance.is_uuid(value):
        return key
    if value.startswith("0x") and len(value) == 42:
        return False  # an account's address, which is public
    return not chance.is_words(value) and not chance.is_code(value) and chance.looks_random(value)


def _is_login(value: str) -> bool:
    try:
        plain = base64.b64decode(value + "=" * (-len(value) % 4), validate=True)
    except (binascii.Error, ValueError):
        return False
    return len(value) >= 8 and b":" in plain and plain.isascii()
