"""Fixed words in a text, all in one look."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ahocorasick_rs import AhoCorasick, Implementation

# The automaton takes whole characters alone; places stay what they are.
_HALVES: Final = dict.fromkeys(range(0xD800, 0xE000), "\ufffd")


class Literals:
    """Finds every occurrence of ``words``, overlapping ones too, in time linear in the text."""

    def __init__(self, words: Sequence[str]) -> None:
        self._automaton = AhoCorasick(words, implementation=Implementation.DFA, store_patterns=False)

    def find(self, text: str) -> list[tuple[int, int, int]]:
        """Which word, its begin and its end; in order of the ends."""
        try:
            return self._automaton.find_matches_as_indexes(text, overlapping=True)
        except UnicodeEncodeError:
            return self._automaton.find_matches_as_indexes(text.translate(_HALVES), overlapping=True)
