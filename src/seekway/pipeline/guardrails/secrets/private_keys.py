"""Private keys in PEM (RFC 7468, RFC 1421's headers) and OpenPGP's armour (RFC 9580), with real line ends or written ``\\n``."""

from __future__ import annotations

from typing import Final

from seekway.pipeline.guardrails.secrets.forms import ALNUM
from seekway.pipeline.guardrails.secrets.runs import Value, run_end

BEGINNING: Final = "-----BEGIN "
LONGEST: Final = 6144
"""Of the whole block: RSA keys of 8,192 bits have about 6,400 characters, the others that are in use fewer."""
_END: Final = "-----END "
_DASHES: Final = "-----"
_LONGEST_LABEL: Final = 40
_LABEL: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 "
_BODY: Final = ALNUM + "+/="
_BETWEEN: Final = " \t\r\n\"',+"
_LEAST_FIRST: Final = 32
"""The smallest key, Ed25519, has 64 characters in one line; what has less is a picture of a key."""
_LEAST_LINE: Final = 16
_LONGEST_HEADER: Final = 80
_MOST_HEADERS: Final = 4


def private_key(text: str, begin: int) -> Value | None:
    """The block that begins there: to its last line, or as far as lines of base64 go."""
    label_end = text.find(_DASHES, begin + len(BEGINNING), begin + len(BEGINNING) + _LONGEST_LABEL + len(_DASHES))
    if label_end < 0:
        rest = text[begin + len(BEGINNING) :]
        may_come = len(rest) < _LONGEST_LABEL + len(_DASHES) and not rest.rstrip("-").lstrip(_LABEL)
        return _block(begin, len(text), secret=False, open_=may_come)
    label = text[begin + len(BEGINNING) : label_end]
    if "PRIVATE KEY" not in label or label.lstrip(_LABEL):
        return None
    limit = min(len(text), begin + LONGEST)
    at_end = limit == len(text)
    place = _after_headers(text, label_end + len(_DASHES), limit)
    stop = run_end(text, place, _BODY, limit - place)
    if stop - place < _LEAST_FIRST:
        return _block(begin, stop, secret=False, open_=stop >= limit and at_end)
    while True:
        end, place = stop, _between(text, stop, limit)
        if text.startswith(_END, place):
            close = text.find(_DASHES, place + len(_END), place + len(_END) + _LONGEST_LABEL + len(_DASHES))
            if close >= 0:
                return _block(begin, close + len(_DASHES), secret=True, open_=False)
            return _block(begin, end, secret=True, open_=at_end and len(text) - place < len(_END) + _LONGEST_LABEL + 5)
        if place >= limit or (at_end and _END.startswith(text[place:])):
            return _block(begin, min(place, limit), secret=True, open_=at_end)
        stop = min(run_end(text, place, _BODY, limit - place), limit)
        if stop >= limit:
            return _block(begin, stop, secret=True, open_=at_end)
        if stop - place < _LEAST_LINE:
            # The last line may be short; other short words are the text that follows.
            following = _between(text, stop, limit)
            if stop == place or not (
                text.startswith(_END, following) or (at_end and _END.startswith(text[following:]))
            ):
                return _block(begin, end, secret=True, open_=False)


def _block(begin: int, end: int, *, secret: bool, open_: bool) -> Value:
    return Value(begin, end, "private_key", "private_key", 1.0, secret=secret, open_=open_)


def _between(text: str, place: int, limit: int) -> int:
    """What stands between two lines: their ends, quotes and commas of a program."""
    while place < limit:
        if text[place] in _BETWEEN:
            place += 1
        elif text[place] == "\\" and (text[place + 1 : place + 2] or "n") in "nr\\":
            place += 2 if text[place + 1 : place + 2] in ("n", "r") else 1
        else:
            break
    return min(place, limit)


def _after_headers(text: str, place: int, limit: int) -> int:
    """Past lines such as ``Proc-Type: 4,ENCRYPTED``."""
    for _ in range(_MOST_HEADERS):
        place = _between(text, place, limit)
        name = run_end(text, place, ALNUM + "-", _LONGEST_HEADER)
        if name == len(text):
            return limit
        if text[name : name + 1] != ":":
            break
        line_end = text.find("\n", name, name + _LONGEST_HEADER)
        written = text.find("\\n", name, name + _LONGEST_HEADER)
        ends = [end for end in (line_end, written) if end >= 0]
        if not ends:
            return limit if len(text) - name < _LONGEST_HEADER else place
        place = min(ends)
    return _between(text, place, limit)
