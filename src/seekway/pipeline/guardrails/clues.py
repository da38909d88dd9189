"""One look through a text for all the words that personal data and secrets begin with or stand beside.

Harmless text has few of them or none, and without them most of what these detectors do has nothing to find.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Final, NamedTuple

from seekway.pipeline.guardrails.literals import Literals
from seekway.pipeline.guardrails.pii import names, places
from seekway.pipeline.guardrails.pii.codes import WECHAT_WORDS
from seekway.pipeline.guardrails.secrets import private_keys
from seekway.pipeline.guardrails.secrets.assigned import CUES, SCHEMES, URL
from seekway.pipeline.guardrails.secrets.forms import FORMS


def _in_any_case(word: str) -> Iterator[str]:
    return map("".join, product(*[(letter, letter.upper()) for letter in word]))


SECRET_WORDS: Final = tuple(
    dict.fromkeys((*(form.beginning for form in FORMS), private_keys.BEGINNING, URL, *SCHEMES, *CUES))
)
_NAME_WORDS: Final = tuple(
    dict.fromkeys((*names.CUES, *(spelled for word in names.ANY_CASE for spelled in _in_any_case(word))))
)
_WORDS: Final = (*SECRET_WORDS, *_NAME_WORDS, *places.CUES, *WECHAT_WORDS)
_SECRETS: Final = len(SECRET_WORDS)
_NAMES: Final = _SECRETS + len(_NAME_WORDS)
_PLACES: Final = _NAMES + len(places.CUES)
_LITERALS: Final = Literals(_WORDS)


class Clues(NamedTuple):
    """``secrets`` are the words of :data:`SECRET_WORDS` that there are: which, its begin and its end; the others say whether there is any word
    of a name, of an address, of an account.
    """

    secrets: tuple[tuple[int, int, int], ...] = ()
    names: bool = False
    places: bool = False
    accounts: bool = False


_NONE: Final = Clues()


class ClueFinder:
    """Remembers the text that it looked through last, which the next detector asks for."""

    def __init__(self) -> None:
        self._last: tuple[str, Clues] = "", _NONE

    def __call__(self, text: str) -> Clues:
        # Read and written at once, since several threads look.
        last, clues = self._last
        if last is text:
            return clues
        hits = _LITERALS.find(text)
        clues = _sorted(hits) if hits else _NONE
        self._last = text, clues
        return clues


def _sorted(hits: list[tuple[int, int, int]]) -> Clues:
    others = {number for number, _, _ in hits if number >= _SECRETS}
    return Clues(
        tuple([hit for hit in hits if hit[0] < _SECRETS]),
        any(number < _NAMES for number in others),
        any(_NAMES <= number < _PLACES for number in others),
        any(number >= _PLACES for number in others),
    )


clues_in: Final = ClueFinder()
