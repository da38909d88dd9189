"""Finding a fixed marker in text that arrives in pieces."""

from __future__ import annotations


def held_back(text: str, *markers: str) -> int:
    """Length of ``text``'s longest end that may yet become one of ``markers``; a whole marker in ``text`` is not looked for."""
    longest = 0
    for marker in markers:
        first = marker[0]
        at = text.find(first, max(0, len(text) - len(marker) + 1))
        while at >= 0:
            if marker.startswith(text[at:]):
                longest = max(longest, len(text) - at)
                break
            at = text.find(first, at + 1)
    return longest
