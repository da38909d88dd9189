"""Characters written as the two components that they are made of, 女子 for 好, read in every way that makes a term."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final, NamedTuple

from seekway.pipeline.guardrails.words.entries import TERM, Index

NATURAL_PARTS: Final = 3  # so many characters must a term have to be looked for in parts that are words themselves
_RADICALS: Final = frozenset("氵亻扌讠钅忄艹纟犭饣礻衤冫阝刂攵灬疒宀冖廴辶彳囗匚勹厶")


class Composed(NamedTuple):
    """Term ``number`` in the letters ``begin`` up to ``end``."""

    number: int
    begin: int
    end: int


class _Read(NamedTuple):
    """The beginning of a term; ``has_parts`` where some of it was written as components, ``has_radical`` where one of these is no word."""

    characters: str
    has_parts: bool
    has_radical: bool


_NOTHING: Final = _Read("", has_parts=False, has_radical=False)


def composed(index: Index, letters: str, pairs: Collection[int]) -> Iterator[Composed]:
    """Each term that some of the ``pairs`` belong to, which say where two components may stand for one character.

    What a component may also be with the letter beside it decides nothing: that letter may not have come yet.
    """
    known = frozenset(pairs)
    reach = 2 * (index.most_composed - 1)
    done = 0
    for pair in sorted(known):
        for begin in range(max(done, pair - reach), pair + 1):
            yield from _from(index, letters, known, begin)
        done = pair + 1


def _from(index: Index, letters: str, pairs: Collection[int], begin: int) -> Iterator[Composed]:
    prefixes, meanings, compose = index.prefixes, index.meanings, index.compose
    here: set[_Read] = {_NOTHING}
    following: set[_Read] = set()
    k = begin
    while (here or following) and k <= len(letters):
        after: set[_Read] = set()
        for read in here:
            if read.has_parts and (read.has_radical or len(read.characters) >= NATURAL_PARTS):
                for meaning in meanings.get(read.characters, ()):
                    if meaning & 3 == TERM:
                        yield Composed(meaning >> 2, begin, k)
            if k == len(letters):
                continue
            one = read.characters + letters[k]
            if one in prefixes or (read.has_parts and one in meanings):
                following.add(_Read(one, read.has_parts, read.has_radical))
            if k in pairs:
                pair = letters[k : k + 2]
                two = read.characters + compose[pair]
                if two in prefixes or two in meanings:
                    has_radical = read.has_radical or pair[0] in _RADICALS or pair[1] in _RADICALS
                    after.add(_Read(two, has_parts=True, has_radical=has_radical))
        here, following = following, after
        k += 1
