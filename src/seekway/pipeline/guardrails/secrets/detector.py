"""Keys, tokens and passwords in a text, as a :class:`seekway.pipeline.guardrails.detector.Detector`."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Sequence
from typing import Final

from seekway.pipeline.guardrails.clues import SECRET_WORDS, clues_in
from seekway.pipeline.guardrails.detector import Finding, Scan
from seekway.pipeline.guardrails.secrets import chance, private_keys
from seekway.pipeline.guardrails.secrets.assigned import (
    CONTEXT,
    CUES,
    URL,
    assigned,
    scheme_token,
    url_password,
)
from seekway.pipeline.guardrails.secrets.forms import FORMS, WORD, Form
from seekway.pipeline.guardrails.secrets.private_keys import private_key
from seekway.pipeline.guardrails.secrets.runs import Value, run_end

_FORM_OF: Final = {form.beginning: form for form in FORMS}
# The ends of a text that may become the beginning of a token; what stands behind a word begins after it.
_BEGUN: Final = frozenset(
    form.beginning[:size] for form in FORMS if not form.after for size in range(1, len(form.beginning))
)
_LONGEST_BEGINNING: Final = max(map(len, _BEGUN)) + 1
_DASHES: Final = "-----"
_JWT_PARTS: Final = (3, 5)
"""Signed and encrypted ones: RFC 7515 and RFC 7516."""


class SecretDetector:
    """``rule`` of a finding says what kind of secret it is; what shows itself as an example, a blank or a name in a program is none."""

    name = "secrets"
    context_chars = CONTEXT
    needs_whole = False

    def scan(self, text: str, start: int, *, final: bool) -> Scan:
        base = start - CONTEXT
        if base > 0:
            # More context than is asked for tells nothing.
            text, start = text[base:], CONTEXT
        else:
            base = 0
        safe = len(text) if final else _begun(text, start)
        hits = clues_in(text).secrets
        if not hits:
            return Scan((), safe + base)
        found, safe = self._scan(text, start, hits, safe, final=final)
        return Scan([_moved(one, base) for one in found] if base else found, safe + base)

    def _scan(self, text: str, start: int, hits: Sequence[tuple[int, int, int]], safe: int, *, final: bool) -> Scan:
        values = [value for value in _values(text, hits) if value.begin >= start]
        if not final:
            safe = min([safe, *(value.begin for value in values if value.open)])
        values = _outermost([value for value in values if value.secret])
        for value in reversed(values):
            if not final and value.begin < safe < value.end:
                safe = value.begin
        findings = [
            Finding(self.name, value.category, "high", value.begin, value.end, value.rule, value.score)
            for value in values
            if final or value.begin < safe
        ]
        return Scan(findings, safe)


def _values(text: str, hits: Sequence[tuple[int, int, int]]) -> Iterator[Value]:
    for number, begin, end in hits:
        word = SECRET_WORDS[number]
        form = _FORM_OF.get(word)
        if form is not None:
            value = _token(text, begin, end, form)
        elif word in CUES:
            value = assigned(text, begin, end)
        elif word == URL:
            value = url_password(text, end)
        elif word == private_keys.BEGINNING:
            value = private_key(text, begin)
        else:
            value = scheme_token(text, begin, end)
        if value is not None:
            yield value


def _token(text: str, begin: int, end: int, form: Form) -> Value | None:
    if not form.after and not _begins_word(text, begin):
        return None
    stop = run_end(text, end, form.letters, form.most)
    size = stop - end
    open_ = stop == len(text) and size <= form.most
    if form.letters.endswith("."):
        # The end of a sentence.
        stop -= size - len(text[end:stop].rstrip("."))
        size = stop - end
    first = end if form.after else begin
    body = text[end:stop]
    secret = form.least <= size <= form.most and text[stop : stop + 1] not in _MORE
    if form.rule == "json_web_token":
        secret = secret and _is_web_token(text[begin:stop])
    elif form.chance:
        secret = secret and chance.looks_unlike_words(body)
    else:
        secret = secret and chance.looks_issued(body)
    # Of two beginnings the longer says more.
    return Value(first, stop, form.rule, "api_key", 0.9 + len(form.beginning) / 500, secret=secret, open_=open_)


_MORE: Final = frozenset(WORD)
"""A token of a certain length is none within a longer word."""


def _begins_word(text: str, begin: int) -> bool:
    if not begin or text[begin - 1] not in _MORE:
        return True
    # A line's end as programs write it.
    return text[begin - 1] in "nrt" and text[begin - 2 : begin - 1] == "\\"


def _begun(text: str, start: int) -> int:
    """Where the longest end of the text begins that may become the beginning of a token."""
    size = len(text)
    low = max(start, size - _LONGEST_BEGINNING)
    tail = text[low:]
    word = tail[len(tail.rstrip(WORD)) :]
    if not word:
        return size
    begin = size - len(word)
    if word in _BEGUN and _begins_word(text, begin):
        return begin
    if "-" in word:
        for dashes in (word.rfind(_DASHES), len(word.rstrip("-"))):
            if 0 <= dashes < len(word) and private_keys.BEGINNING.startswith(word[dashes:]):
                return begin + dashes
    if word[0] in "nrt" and word[1:] in _BEGUN and _begins_word(text, begin + 1):
        return begin + 1
    return size


def _is_web_token(token: str) -> bool:
    """Whether its first part is a header: base64 of JSON that names an algorithm."""
    parts = token.split(".")
    if len(parts) not in _JWT_PARTS or len(parts[1]) < 2:
        return False
    try:
        header = base64.urlsafe_b64decode(parts[0] + "=" * (-len(parts[0]) % 4))
    except (binascii.Error, ValueError):
        return False
    return header.startswith(b'{"') and b'"alg"' in header


def _outermost(values: list[Value]) -> list[Value]:
    """Without what lies wholly within another; of two at the same place the surer one."""
    values.sort(key=lambda value: (value.begin, -value.end, -value.score))
    kept: list[Value] = []
    furthest = -1
    for value in values:
        if value.end > furthest:
            kept.append(value)
            furthest = value.end
    return kept


def _moved(one: Finding, by: int) -> Finding:
    return Finding(one.detector, one.category, one.severity, one.start + by, one.end + by, one.rule, one.score)
