"""Keys, tokens and passwords in a text, as a :class:`seekway.pipeline.guardrails.detector.Detector`."""

from __future__ import annotations

import base64
import binascii
import math
from collections import Counter
from collections.abc import Iterator
from typing import Final, NamedTuple

from seekway.pipeline.guardrails.detector import Finding, Scan, Severity
from seekway.pipeline.guardrails.literals import Literals
from seekway.pipeline.guardrails.secrets.forms import ALNUM, FORMS, Form

_OWN_WORD: Final = ALNUM | frozenset("_-")
_PEM: Final = "-----BEGIN "
_PEM_END: Final = "-----END "
_PEM_KEY: Final = "PRIVATE KEY"
_LONGEST_PEM: Final = 4096
_URL: Final = "://"
_LONGEST_USER: Final = 64
_LONGEST_PASSWORD: Final = 128
_CUES: Final = (
    "password",
    "passwd",
    "pwd",
    "secret",
    "token",
    "api_key",
    "api-key",
    "apikey",
    "access_key",
    "access-key",
)
_CHINESE_CUES: Final = ("密码", "口令", "密钥", "密碼", "令牌")
_BETWEEN: Final = frozenset(" \t\"'`")
_ASSIGNS: Final = frozenset(":=：是为")
_MOST_BETWEEN: Final = 4
_VALUE_ENDS: Final = frozenset(" \t\r\n\"'`,;<>()[]{}，。；、）】》|")
_LEAST_BITS: Final = 2.6
"""Of entropy a character: words have about 2.5 at such lengths, random tokens 3.5 and more."""

_NO_SECRETS: Final = (
    "xxx",
    "***",
    "...",
    "…",
    "your",
    "example",
    "sample",
    "placeholder",
    "changeme",
    "redacted",
    "dummy",
    "${",
    "{{",
    "<",
    "os.environ",
    "getenv",
    "•••",
)


class _Spot(NamedTuple):
    """What stands at a place: the form that begins there, or the word after which a password may come."""

    form: Form | None
    kind: str


class _Value(NamedTuple):
    """``open`` says that what follows the text may lengthen it."""

    begin: int
    end: int
    rule: str
    category: str
    severity: Severity
    score: float
    secret: bool
    open: bool


_SPOTS: Final[dict[str, _Spot]] = {
    **{form.beginning: _Spot(form, "form") for form in FORMS},
    _PEM: _Spot(None, "pem"),
    _URL: _Spot(None, "url"),
    **{word: _Spot(None, "cue") for cue in _CUES for word in (cue, cue.upper(), cue.title(), cue.capitalize())},
    **{word: _Spot(None, "cue") for word in _CHINESE_CUES},
}
_WORDS: Final = tuple(_SPOTS)
_LITERALS: Final = Literals(_WORDS)
# The ends of a text that may become the beginning of a token; what stands behind a word begins after it.
_BEGUN: Final = frozenset(
    word[:size] for word, spot in _SPOTS.items() if spot.kind in ("form", "pem") for size in range(1, len(word))
)
_LONGEST_BEGINNING: Final = max(map(len, _BEGUN))


class SecretDetector:
    """``rule`` of a finding says what kind of secret it is; what shows itself as an example or a blank is none."""

    name = "secrets"
    context_chars = 128

    def scan(self, text: str, start: int, *, final: bool) -> Scan:
        safe = len(text) if final else _begun(text, start)
        values = [value for value in _values(text) if value.begin >= start]
        if not values:
            return Scan((), safe)
        if not final:
            safe = min([safe, *(value.begin for value in values if value.open)])
        values = _outermost([value for value in values if value.secret])
        for value in reversed(values):
            if not final and value.begin < safe < value.end:
                safe = value.begin
        return Scan(
            [
                Finding(self.name, value.category, value.severity, value.begin, value.end, value.rule, value.score)
                for value in values
                if final or value.begin < safe
            ],
            safe,
        )


def _values(text: str) -> Iterator[_Value]:
    for number, begin, end in _LITERALS.find(text):
        spot = _SPOTS[_WORDS[number]]
        if spot.form is not None:
            value = _token(text, begin, end, spot.form)
        elif spot.kind == "pem":
            value = _private_key(text, begin)
        elif spot.kind == "url":
            value = _url_password(text, end)
        else:
            value = _assigned(text, end)
        if value is not None:
            yield value


def _token(text: str, begin: int, end: int, form: Form) -> _Value | None:
    if begin and text[begin - 1] in _OWN_WORD:
        return None
    stop, limit = end, min(len(text), end + form.most + 1)
    while stop < limit and text[stop] in form.letters:
        stop += 1
    while stop > end and text[stop - 1] in ".-=" and form.rule != "azure_storage_key":
        stop -= 1
    size = stop - end
    open_ = stop == len(text) or (limit == len(text) and text[stop:].strip(".-=") == "")
    body = text[end:stop]
    secret = form.least <= size <= form.most and _looks_random(body)
    if secret and form.rule == "json_web_token":
        secret = body.count(".") == 2 and _is_json(text[begin:stop].partition(".")[0])
    score = 0.9 + len(form.beginning) / 100  # of two beginnings the longer says more
    return _Value(begin, stop, form.rule, "api_key", "high", score, secret, open_ and size <= form.most)


def _private_key(text: str, begin: int) -> _Value | None:
    head = text.find("\n", begin, begin + 64)
    known = text[begin : head if head >= 0 else begin + 64]
    if _PEM_KEY not in known:
        open_ = head < 0 and len(text) - begin < 64
        return _Value(begin, len(text), "private_key", "private_key", "high", 1.0, False, open_)
    # One that is cut off ends where the next begins.
    following = text.find(_PEM, begin + 1, begin + _LONGEST_PEM)
    limit = following if following >= 0 else begin + _LONGEST_PEM
    foot = text.find(_PEM_END, begin, limit)
    close = text.find("-----", foot + len(_PEM_END), foot + 64) if foot >= 0 else -1
    if close >= 0:
        return _Value(begin, close + 5, "private_key", "private_key", "high", 1.0, True, False)
    end = min(len(text), limit)
    return _Value(begin, end, "private_key", "private_key", "high", 1.0, True, following < 0 and end == len(text))


def _url_password(text: str, begin: int) -> _Value | None:
    """``scheme://user:password@host``: the password alone."""
    colon = begin
    while colon < len(text) and colon - begin <= _LONGEST_USER and (text[colon] in _OWN_WORD or text[colon] in ".%+"):
        colon += 1
    if colon >= len(text) or text[colon] != ":":
        return None
    first = stop = colon + 1
    while stop < len(text) and stop - first <= _LONGEST_PASSWORD and text[stop] not in "@/ \t\r\n\"'<>":
        stop += 1
    at = stop < len(text) and text[stop] == "@"
    value = text[first:stop]
    secret = (
        at and len(value) >= 3 and not _is_blank(value) and value.lower() not in ("pass", "password", "pwd", "secret")
    )
    open_ = stop == len(text) and stop - first <= _LONGEST_PASSWORD
    return _Value(first, stop, "url_password", "password", "high", 0.9, secret, open_)


def _assigned(text: str, place: int) -> _Value | None:
    """``password = value``, ``密码：value``: the value."""
    place = _skip(text, place, _BETWEEN)
    if place >= len(text) or text[place] not in _ASSIGNS:
        return None
    begin = _skip(text, place + 1, _BETWEEN)
    stop = begin
    while (
        stop < len(text)
        and stop - begin <= _LONGEST_PASSWORD
        and text[stop] not in _VALUE_ENDS
        and text[stop].isascii()
    ):
        stop += 1
    open_ = stop == len(text) and stop - begin <= _LONGEST_PASSWORD
    value = text[begin:stop].rstrip(".:!?")
    kinds = sum(any(test(char) for char in value) for test in (str.islower, str.isupper, str.isdigit, _is_mark))
    secret = 6 <= len(value) <= _LONGEST_PASSWORD and kinds >= 2 and any(not char.isalpha() for char in value)
    secret = secret and not _is_blank(value) and "://" not in value and not _is_code(value)
    return _Value(begin, begin + len(value), "password", "password", "high", 0.8, secret, open_)


def _skip(text: str, place: int, letters: frozenset[str]) -> int:
    limit = min(len(text), place + _MOST_BETWEEN)
    while place < limit and text[place] in letters:
        place += 1
    return place


def _begun(text: str, start: int) -> int:
    """Where the longest end of the text begins that may become the beginning of a token."""
    for begin in range(max(start, len(text) - _LONGEST_BEGINNING), len(text)):
        # Dashes may follow dashes; a token begins where no other word goes on.
        if text[begin:] in _BEGUN and (text[begin] == "-" or not begin or text[begin - 1] not in _OWN_WORD):
            return begin
    return len(text)


def _looks_random(body: str) -> bool:
    return not _is_blank(body) and _bits(body) >= _LEAST_BITS and not body.isalpha()


def _is_blank(value: str) -> bool:
    lower = value.lower()
    return any(word in lower for word in _NO_SECRETS) or len(set(lower)) < 4


def _is_code(value: str) -> bool:
    """``request.password``, ``get_token(x)``, ``args[0]``: a name in a program, and ``string;``, ``Optional``."""
    parts = value.split(".")
    return (
        len(parts) > 1 and all(part.isidentifier() and not any(char.isdigit() for char in part) for part in parts)
    ) or (value.replace("_", "").isalpha())


def _is_mark(char: str) -> bool:
    return not char.isalnum()


def _bits(text: str) -> float:
    """Shannon entropy of its characters, in bits a character."""
    size = len(text)
    return -sum(count / size * math.log2(count / size) for count in Counter(text).values()) if size else 0.0


def _is_json(part: str) -> bool:
    try:
        return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)).startswith(b'{"')
    except (binascii.Error, ValueError):
        return False


def _outermost(values: list[_Value]) -> list[_Value]:
    values.sort(key=lambda value: (value.begin, -value.end, -value.score))
    kept: list[_Value] = []
    furthest = -1
    for value in values:
        if value.end > furthest:
            kept.append(value)
            furthest = value.end
    return kept
