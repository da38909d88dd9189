"""What stands between two letters, and how natural that is."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from seekway.pipeline.guardrails.normalise.characters import FIRST_HAN, characters
from seekway.pipeline.guardrails.normalise.folded import Folded

GAP_CHARS: Final = 48
"""Two letters that stand further apart belong to different words, whatever is between them."""
SEPARATORS: Final = 8
"""The same for separators that can be seen."""


class Gap(IntEnum):
    """From what nobody sees to what ends a sentence; a gap is as strong as its strongest character."""

    NONE = 0
    INVISIBLE = 1
    ODD = 2
    """Stars, emoji and the like: nothing that stands within a word by itself."""
    JOINER = 3
    """Hyphens, dots, underscores, apostrophes, slashes."""
    CLAUSE = 4
    """Spaces, commas, brackets, quotes, the marks of Markdown and of code."""
    BREAK = 5
    """Ends of lines and of sentences."""
    FAR = 6


_KINDS: Final = {
    **dict.fromkeys("-‐‑‒–_./\\·・•~～'’‧∙", Gap.JOINER),
    **dict.fromkeys(' \t\xa0\u3000,，;；:：、"“”‘()（）[]【】{}《》〈〉<>「」『』|`#…—=+&', Gap.CLAUSE),
    **dict.fromkeys("\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u1680", Gap.CLAUSE),
    **dict.fromkeys("\n\r\v\f\x85\u2028\u2029。！？!?", Gap.BREAK),
}


def stretch(text: str) -> Gap:
    """The kind of some characters that are no letters."""
    if len(text) > GAP_CHARS:
        return Gap.FAR
    kind, seen = Gap.NONE, 0
    invisible = characters().invisible
    for character in text:
        if character in invisible:
            kind = max(kind, Gap.INVISIBLE)
        else:
            seen += 1
            kind = max(kind, _KINDS.get(character, Gap.ODD))
    if seen > SEPARATORS:
        return Gap.FAR
    if kind == Gap.ODD and "**" in text and "*****" not in text:
        return Gap.CLAUSE  # bold in Markdown
    return Gap.BREAK if ". " in text else kind


def gap_before(folded: Folded, letter: int) -> Gap:
    """What stands between the letter before ``letter`` and it."""
    first, last = folded.places[letter - 1] + 1, folded.places[letter]
    if first >= last:
        return Gap.NONE
    if folded.original(last) - folded.original(first) > GAP_CHARS:
        return Gap.FAR
    return stretch(folded.text[first:last])


def gap_at_end(folded: Folded) -> Gap:
    """What stands after the last letter."""
    first = folded.places[-1] + 1
    if folded.original(len(folded.text)) - folded.original(first) > GAP_CHARS:
        return Gap.FAR
    return stretch(folded.text[first:])


def is_alphabetic(letter: str) -> bool:
    """True for letters and digits of scripts that set words apart."""
    return letter < FIRST_HAN


def joins(folded: Folded, letter: int) -> bool:
    """True where ``letter`` goes on with the word of the letter before it."""
    return letter > 0 and is_alphabetic(folded.letters[letter - 1]) and gap_before(folded, letter) <= Gap.INVISIBLE
