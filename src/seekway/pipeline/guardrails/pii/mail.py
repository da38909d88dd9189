"""Addresses of mail: RFC 5321's lengths, and of RFC 5322's local parts those that people have."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from seekway.pipeline.guardrails.pii.window import Found, Window

LOCAL: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._%+-")
_DOMAIN: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-")
LONGEST_LOCAL: Final = 64
LONGEST_DOMAIN: Final = 128


def mail(window: Window) -> Iterator[Found]:
    folded, at = window.folded, window.folded.find(b"@")
    while at >= 0:
        begin, end = at, at + 1
        while begin and at - begin < LONGEST_LOCAL and folded[begin - 1] in LOCAL:
            begin -= 1
        while end < len(folded) and end - at <= LONGEST_DOMAIN and folded[end] in _DOMAIN:
            end += 1
        while begin < at and folded[begin] in b".-%+":
            begin += 1
        domain = folded[at + 1 : end].decode().rstrip(".-")
        top = domain.rpartition(".")[2]
        # A local part that is cut off at its greatest length is none.
        whole = not (begin and at - begin >= LONGEST_LOCAL and folded[begin - 1] in LOCAL)
        if begin < at and whole and "." in domain and ".." not in domain and len(top) >= 2 and top.isalpha():
            yield Found("email", "medium", begin, at + 1 + len(domain), "email")
        at = folded.find(b"@", at + 1)
