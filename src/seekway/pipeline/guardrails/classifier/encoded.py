"""Finds what is written in another code within a text - Base64, hex, escapes, rot13, reversed - and decodes it."""

from __future__ import annotations

import base64
import binascii
import codecs
import html
import urllib.parse
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seekway.pipeline.guardrails.classifier.folding import code_points

SHORTEST_RUN = 20
MOST_RUNS = 16
SHORTEST_ESCAPED = 4
READABLE_SHARE = 0.9

_COMMON = frozenset(
    {"the", "and", "you", "your", "all", "of", "to", "is", "ignore", "instructions", "are", "this", "me"}
)
_ROT13 = frozenset(codecs.encode(word, "rot13") for word in _COMMON)
_REVERSED = frozenset(word[::-1] for word in _COMMON)
MOST_PROBED = 2048
"""Characters at a text's start by which rot13 and reversal are recognised."""


class Decoded(NamedTuple):
    """What characters ``start`` to ``end`` of the text say once decoded."""

    text: str
    start: int
    end: int


def _charset(chars: str) -> NDArray[np.bool_]:
    table = np.zeros(0x81, bool)
    table[[ord(char) for char in chars]] = True
    return table


_HEX = _charset("0123456789abcdefABCDEF")
_BASE64 = _charset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_=")


def _runs(member: NDArray[np.bool_]) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate(([0], member.view(np.int8), [0]))))
    starts, ends = edges[0::2], edges[1::2]
    long = ends - starts >= SHORTEST_RUN
    return list(zip(starts[long].tolist(), ends[long].tolist(), strict=True))[:MOST_RUNS]


def _readable(raw: bytes) -> str | None:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return None
    seen = sum(char.isalpha() or char.isspace() for char in text[:MOST_PROBED])
    return text if text and seen >= READABLE_SHARE * len(text[:MOST_PROBED]) - 3 else None


def _from_hex(run: str) -> str | None:
    return _readable(binascii.unhexlify(run[: len(run) // 2 * 2]))


def _from_base64(run: str) -> str | None:
    run = run.rstrip("=").replace("-", "+").replace("_", "/").replace("=", "")
    run = run[: len(run) - 1] if len(run) % 4 == 1 else run
    try:
        return _readable(base64.b64decode(run + "=" * (-len(run) % 4)))
    except binascii.Error:
        return None


def _unicode_escapes(text: str) -> str:
    pieces = text.split("\\u")
    out = [pieces[0]]
    for piece in pieces[1:]:
        try:
            out.append(chr(int(piece[:4], 16)) + piece[4:])
        except ValueError:
            out.append("\\u" + piece)
    return "".join(out)


def decode(text: str) -> list[Decoded]:
    """Every passage that decodes to readable text; at most :data:`MOST_RUNS` runs of a kind, in linear time."""
    found: list[Decoded] = []
    if len(text) >= SHORTEST_RUN:
        codes = np.minimum(code_points(text), 0x80)
        hexadecimal = _runs(_HEX[codes])
        for start, end in hexadecimal:
            if plain := _from_hex(text[start:end]):
                found.append(Decoded(plain, start, end))
        for start, end in _runs(_BASE64[codes]):
            if (start, end) not in hexadecimal and (plain := _from_base64(text[start:end])):
                found.append(Decoded(plain, start, end))
    for mark, read in (("\\u", _unicode_escapes), ("%", urllib.parse.unquote), ("&#", html.unescape)):
        if text.count(mark) >= SHORTEST_ESCAPED and (plain := read(text)) != text:
            found.append(Decoded(plain, 0, len(text)))
    words = text[:MOST_PROBED].lower().split()
    usual = sum(word in _COMMON for word in words)
    if sum(word in _ROT13 for word in words) > usual:
        found.append(Decoded(codecs.encode(text, "rot13"), 0, len(text)))
    if sum(word in _REVERSED for word in words) > usual:
        found.append(Decoded(text[::-1], 0, len(text)))
    return found
